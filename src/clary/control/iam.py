"""Roles, without access control: one of any name may do everything, and SageMaker assume it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from clary.jobs.platform import Platform

ROLE = "AmazonSageMaker-ExecutionRole"
ROLE_ID = "AROACLARYEXECUTIONROL"
USER = "clary"
_NO_CONTROL = "without effect: everything is allowed"
IGNORED: Mapping[str, str] = dict.fromkeys(
    (
        "CallerArn",
        "ContextEntries",
        "PermissionsBoundaryPolicyInputList",
        "PolicyExclusionList",
        "PolicyInputList",
        "PolicySourceArn",
        "ResourceHandlingOption",
        "ResourceOwner",
        "ResourcePolicy",
    ),
    _NO_CONTROL,
) | dict.fromkeys(("Marker", "MaxItems"), "without effect: the answer is whole")
UNTOLD: Mapping[str, str] = dict.fromkeys(
    (
        "Description",
        "EvalDecisionDetails",
        "MatchedStatements",
        "MaxSigninSessionDuration",
        "OrganizationsDecisionDetail",
        "PasswordLastUsed",
        "PermissionsBoundary",
        "PermissionsBoundaryDecisionDetail",
        "ResourceSpecificResults",
        "RoleLastUsed",
        "SourceRoleTemplate",
        "Tags",
    ),
    "there is no access control",
)
_CREATED = datetime(2017, 11, 29, tzinfo=UTC)
_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "sagemaker.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def get_role(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    """A role of any name: requests name roles that were made at AWS."""
    return {"Role": _role(platform, request["RoleName"])}


def list_roles(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    role = _role(platform, ROLE)
    known = role["Path"].startswith(request.get("PathPrefix", "/"))
    return {"Roles": [role] if known else [], "IsTruncated": False}


def get_user(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name = request.get("UserName", USER)
    arn = f"arn:aws:iam::{platform.account.id}:user/{name}"
    user_id = _id("AIDA", name)
    user = {"Path": "/", "UserName": name, "UserId": user_id, "Arn": arn, "CreateDate": _CREATED}
    return {"User": user}


def list_attached_role_policies(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    name = "AmazonSageMakerFullAccess"
    policy = {"PolicyName": name, "PolicyArn": f"arn:aws:iam::aws:policy/{name}"}
    return {"AttachedPolicies": [policy], "IsTruncated": False}


def simulate_principal_policy(platform: Platform, request: dict[str, Any]) -> dict[str, Any]:
    results = [
        {
            "EvalActionName": action,
            "EvalResourceName": resource,
            "EvalDecision": "allowed",
            "MatchedStatements": [],
            "MissingContextValues": [],
        }
        for action in request["ActionNames"]
        for resource in request.get("ResourceArns", ["*"])
    ]
    return {"EvaluationResults": results, "IsTruncated": False}


def _role(platform: Platform, name: str) -> dict[str, Any]:
    path = "/service-role/" if name.startswith(ROLE) else "/"
    return {
        "Path": path,
        "RoleName": name,
        "RoleId": ROLE_ID if name == ROLE else _id("AROA", name),
        "Arn": f"arn:aws:iam::{platform.account.id}:role{path}{name}",
        "CreateDate": _CREATED,
        "AssumeRolePolicyDocument": quote(json.dumps(_TRUST)),
        "MaxSessionDuration": 43200,
    }


def _id(prefix: str, name: str) -> str:
    """The same for the same name."""
    return prefix + hashlib.sha256(name.encode()).hexdigest()[:17].upper()
