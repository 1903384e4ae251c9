"""What operations refuse with, in the words that clients match on."""

from __future__ import annotations

from clary.aws.errors import Refusal, invalid


def not_found(what: str, arn: str) -> Refusal:
    """For an endpoint, an endpoint configuration, a model."""
    return invalid(f'Could not find {what} "{arn}".')


def taken(what: str, arn: str) -> Refusal:
    """For an endpoint, an endpoint configuration, a model."""
    return invalid(f'Cannot create already existing {what} "{arn}".')


def in_use(message: str) -> Refusal:
    return Refusal("ResourceInUse", message)
