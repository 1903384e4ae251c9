"""What the tests of the questions share."""

from __future__ import annotations

from tests.runtime.conftest import third_party

__all__ = ["third_party"]
