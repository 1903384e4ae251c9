"""Who calls: the one role of this account. Temporary keys are of the server's own making."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from clary.aws.errors import invalid
from clary.aws.keys import Keys, Temporary
from clary.control.iam import ROLE, ROLE_ID
from clary.jobs.platform import Platform

SESSION = "SageMaker"
_ONE = "without effect: there is no access control"
IGNORED: Mapping[str, str] = dict.fromkeys(
    (
        "ExternalId",
        "Policy",
        "PolicyArns",
        "ProvidedContexts",
        "SerialNumber",
        "SourceIdentity",
        "Tags",
        "TokenCode",
        "TransitiveTagKeys",
    ),
    _ONE,
) | {"MinimumSessionTokenSize": "without effect: tokens are short"}
UNTOLD: Mapping[str, str] = dict.fromkeys(
    ("PackedPolicySize", "SessionTokenSize", "SessionTokenUtilization", "SourceIdentity"),
    "there are no policies in a session",
)
_HOUR = 3600
_ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/(?:[!-~]*/)?([\w+=,.@-]{1,64})")


def caller_identity(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """The execution role, as it is assumed in a notebook of SageMaker's."""
    return {
        "UserId": f"{ROLE_ID}:{SESSION}",
        "Account": platform.account.id,
        "Arn": _assumed(platform.account.id, ROLE, SESSION),
    }


def assume_role(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    found = _ROLE_ARN.fullmatch(request["RoleArn"])
    if not found:
        raise invalid(f"{request['RoleArn']} is invalid")
    session = request["RoleSessionName"]
    return {
        "Credentials": _credentials(platform, request.get("DurationSeconds", _HOUR)),
        "AssumedRoleUser": {
            "AssumedRoleId": f"{ROLE_ID}:{session}",
            "Arn": _assumed(found[1], found[2], session),
        },
    }


def session_token(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    return {"Credentials": _credentials(platform, request.get("DurationSeconds", 12 * _HOUR))}


def _assumed(account: str, role: str, session: str) -> str:
    return f"arn:aws:sts::{account}:assumed-role/{role}/{session}"


def _credentials(platform: Platform, seconds: int) -> dict[str, Any]:
    # Where no keys are configured nothing is verified, and any keys will do
    keys = platform.keys or Keys("clary", "clary")
    made: Temporary = keys.temporary(seconds, time.time())
    return {
        "AccessKeyId": made.access_key,
        "SecretAccessKey": made.secret_key,
        "SessionToken": made.token,
        "Expiration": datetime.fromtimestamp(made.expiration, UTC),
    }
