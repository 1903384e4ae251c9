"""What the services answer when they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Refusal(Exception):
    """An error that a client reads by its code.

    members: what the answer holds beside code and message, by the names of the service's model.
    """

    def __init__(
        self, code: str, message: str, status: int = 400, members: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.members = dict(members or {})


def invalid(message: str) -> Refusal:
    """ValidationException, SageMaker's usual refusal, whatever its models declare."""
    return Refusal("ValidationException", message)
