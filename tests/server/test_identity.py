"""STS and IAM, as the SDKs ask them to find out who they are and with which role jobs run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

from tests.servers import Server


def test_the_caller_has_assumed_a_role_that_iam_knows(server: Server) -> None:
    identity = server.client("sts").get_caller_identity()
    assert identity["Account"] == "123456789012"
    assert identity["Arn"].startswith("arn:aws:sts::123456789012:assumed-role/")
    role = identity["Arn"].split("/")[1]
    found = server.client("iam").get_role(RoleName=role)["Role"]
    assert found["Arn"] == f"arn:aws:iam::123456789012:role/service-role/{role}"
    assert identity["UserId"] == f"{found['RoleId']}:{identity['Arn'].split('/')[2]}"


def test_a_role_of_any_name_may_be_assumed_by_sagemaker(server: Server) -> None:
    role = server.client("iam").get_role(RoleName="MyRole")["Role"]
    assert role["Arn"] == "arn:aws:iam::123456789012:role/MyRole"
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "sagemaker.amazonaws.com"}


def test_a_malformed_role_name_is_refused_in_the_words_of_aws(server: Server) -> None:
    with pytest.raises(ClientError) as caught:
        server.client("iam").get_role(RoleName="my role")
    assert caught.value.response["Error"]["Code"] == "ValidationException"
    assert "at 'roleName' failed to satisfy constraint" in str(caught.value)


def test_every_simulated_action_is_allowed(server: Server) -> None:
    answer = server.client("iam").simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:role/MyRole",
        ActionNames=["sagemaker:CreateTrainingJob", "s3:GetObject"],
    )
    decisions = {one["EvalActionName"]: one["EvalDecision"] for one in answer["EvaluationResults"]}
    assert decisions == {"sagemaker:CreateTrainingJob": "allowed", "s3:GetObject": "allowed"}


def test_roles_are_listed_with_their_policies(server: Server) -> None:
    iam = server.client("iam")
    (role,) = iam.list_roles()["Roles"]
    policies = iam.list_attached_role_policies(RoleName=role["RoleName"])["AttachedPolicies"]
    assert [one["PolicyName"] for one in policies] == ["AmazonSageMakerFullAccess"]
    assert iam.list_roles(PathPrefix="/other/")["Roles"] == []
    assert iam.get_user()["User"]["Arn"] == "arn:aws:iam::123456789012:user/clary"


def test_an_assumed_role_has_credentials_that_work_for_as_long_as_was_asked(server: Server) -> None:
    arn = "arn:aws:iam::123456789012:role/team/MyRole"
    answer = server.client("sts").assume_role(
        RoleArn=arn, RoleSessionName="me", DurationSeconds=900
    )
    assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::123456789012:assumed-role/MyRole/me"
    keys = answer["Credentials"]
    left = keys["Expiration"] - datetime.now(UTC)
    assert timedelta(seconds=850) < left <= timedelta(seconds=900)
    client = server.client(
        "sagemaker",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
    )
    client.list_training_jobs()


def test_what_is_no_role_cannot_be_assumed(server: Server) -> None:
    with pytest.raises(ClientError, match="is invalid"):
        server.client("sts").assume_role(
            RoleArn="arn:aws:iam::123456789012:user/me", RoleSessionName="me"
        )
