"""Factorization machines: pairs of sparse features, after SageMaker's built-in of the same name."""
