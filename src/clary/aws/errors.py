"""What the services answer when they refuse."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
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


class Wrong(Enum):
    """Why a request is not taken for what its sender signed."""

    MISSING = auto()
    INCOMPLETE = auto()
    MECHANISM = auto()
    SCOPE = auto()
    KEY = auto()
    TOKEN = auto()
    TOKEN_EXPIRED = auto()
    SKEWED = auto()
    LINK_EXPIRED = auto()
    HEADERS = auto()
    SIGNATURE = auto()
    BODY = auto()
    TOO_LONG = auto()


class NotVerified(Exception):
    """A signature that does not hold; each protocol has words of its own for it.

    detail: which part, in AWS's words, where there are several.
    """

    def __init__(self, wrong: Wrong, detail: str = "") -> None:
        super().__init__(f"{wrong.name} {detail}".strip())
        self.wrong = wrong
        self.detail = detail
