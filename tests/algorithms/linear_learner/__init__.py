"""Tests of the linear learner."""
