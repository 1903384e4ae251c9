"""Which algorithm requests ask for, by their images and what else they say."""

from __future__ import annotations

from typing import Any

import pytest

from clary.aws.errors import Refusal
from clary.control.images import algorithm_of, asked_in, served_by

AWS = "246618743249.dkr.ecr.us-west-2.amazonaws.com"
SOURCES = "s3://jumpstart-cache-prod-us-west-2/source-directory-tarballs/xgboost"
CLASSES, VALUES = "xgboost-classification-model", "xgboost-regression-model"


def training(program: str = "", source: str = "", model: str = "") -> dict[str, Any]:
    given = {"sagemaker_program": program, "sagemaker_submit_directory": source}
    channels = [
        {"ChannelName": "model", "DataSource": {"S3DataSource": {"S3Uri": model}}}
        for _ in model[:1]
    ]
    return {
        "HyperParameters": {name: f'"{value}"' for name, value in given.items() if value},
        "InputDataConfig": channels,
    }


@pytest.mark.parametrize(
    ("image", "request_", "model"),
    [
        ("sagemaker-xgboost:1.7-1", training(), None),
        (f"{CLASSES}:1.0.0", training(), CLASSES),
        (f"{VALUES}:1.0.0", training("transfer_learning.py", "s3://b/x.tar.gz"), VALUES),
        (
            "sagemaker-xgboost:1.3-1",
            training(
                "transfer_learning.py",
                f"{SOURCES}/transfer_learning/classification/v1.0.0/sourcedir.tar.gz",
            ),
            CLASSES,
        ),
        (
            "sagemaker-xgboost:1.3-1",
            training(
                "transfer_learning.py",
                "s3://mine/sourcedir.tar.gz",
                f"s3://jumpstart-cache-prod-us-west-2/xgboost-training/train-{VALUES}.tar.gz",
            ),
            VALUES,
        ),
        # Going on from a model of a JumpStart job makes no JumpStart job
        ("sagemaker-xgboost:1.7-1", training(model=f"s3://b/{CLASSES}-1/model.tar.gz"), None),
    ],
    ids=["plain", "our image", "our image, own source", "AWS's source", "AWS's model", "going on"],
)
def test_jumpstarts_model_is_known_by_image_source_or_artifact(
    image: str, request_: dict[str, Any], model: str | None
) -> None:
    asked = asked_in(f"{AWS}/{image}", request_)
    assert asked.algorithm == "xgboost"
    assert (asked.model.id if asked.model else None) == model


@pytest.mark.parametrize(
    "request_",
    [
        training("train.py", "s3://b/sourcedir.tar.gz"),
        training("transfer_learning.py", "s3://b/sourcedir.tar.gz"),
        {"InputDataConfig": [{"ChannelName": "code", "DataSource": {}}]},
    ],
    ids=["script", "script named as JumpStart's", "channel"],
)
def test_a_script_of_one_s_own_is_refused(request_: dict[str, Any]) -> None:
    with pytest.raises(Refusal, match="cannot be run: xgboost is a built-in algorithm here"):
        asked_in(f"{AWS}/sagemaker-xgboost:1.7-1", request_)


@pytest.mark.parametrize(
    "container",
    [
        {"Image": f"{AWS}/sagemaker-xgboost:1.7-1", "ModelDataUrl": "s3://b/model.tar.gz"},
        {
            "Image": f"{AWS}/{CLASSES}:1.0.0",
            "Environment": {"SAGEMAKER_PROGRAM": "inference.py"},
        },
        {
            "Image": f"{AWS}/sagemaker-xgboost:1.3-1",
            "Environment": {
                "SAGEMAKER_PROGRAM": "inference.py",
                "SAGEMAKER_SUBMIT_DIRECTORY": f"{SOURCES}/inference/regression/v1.0.0/x.tar.gz",
            },
        },
    ],
    ids=["plain", "our image", "AWS's source"],
)
def test_a_container_serves_its_image_s_algorithm(container: dict[str, Any]) -> None:
    assert served_by(container) == "xgboost"


def test_a_container_with_a_script_of_one_s_own_is_refused() -> None:
    environment = {
        "SAGEMAKER_PROGRAM": "inference.py",
        "SAGEMAKER_SUBMIT_DIRECTORY": "s3://mine/sourcedir.tar.gz",
    }
    with pytest.raises(Refusal, match=r"The script inference\.py cannot be run"):
        served_by({"Image": f"{AWS}/sagemaker-xgboost:1.7-1", "Environment": environment})


def test_what_is_not_there_yet_is_told_with_what_is() -> None:
    with pytest.raises(Refusal, match="lda is not implemented yet; implemented: linear-learner"):
        algorithm_of("lda:1")
