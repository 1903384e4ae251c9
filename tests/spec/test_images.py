"""Image URIs as the SageMaker SDK makes them, and as people write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clary.errors import CallerError
from clary.spec.images import FAMILIES, REPOSITORIES, algorithm_of_image, image_version
from clary.spec.registries import ACCOUNTS, image_uri, repository_of

# What `image_uris.retrieve` of SDK 2.257.7 yields for every name, version, instance and region:
# tags by name, repository and set of accounts
RETRIEVED: dict[str, Any] = json.loads(Path(__file__).with_name("image_uris.json").read_text())
ALGORITHMS = {
    "autogluon": "autogluon-tabular",
    "coach-mxnet": "reinforcement-learning",
    "coach-tensorflow": "reinforcement-learning",
    "ray-pytorch": "reinforcement-learning",
    "ray-tensorflow": "reinforcement-learning",
    "vw": "reinforcement-learning",
}
DIGEST = f"sha256:{'0a' * 32}"

each_name = pytest.mark.parametrize("name", list(RETRIEVED["tags"]))


def uris(name: str) -> list[tuple[str, str, str, str]]:
    """Every URI of a name: the URI, its repository, tag and region."""
    return [
        (f"{account}.dkr.ecr.{region}.{suffix(region)}/{repository}:{tag}", repository, tag, region)
        for repository, groups in RETRIEVED["tags"][name].items()
        for group, tags in groups.items()
        for region, account in RETRIEVED["accounts"][group].items()
        for tag in tags
    ]


def suffix(region: str) -> str:
    return str(RETRIEVED["suffixes"].get(region, "amazonaws.com"))


@each_name
def test_every_image_that_the_sdk_names_is_known_in_every_region(name: str) -> None:
    found = {algorithm_of_image(uri).algorithm for uri, *_ in uris(name)}
    assert found == {ALGORITHMS.get(name, name)}
    assert len(uris(name)) >= 13


@pytest.mark.parametrize("name", [name for name in RETRIEVED["tags"] if name not in ALGORITHMS])
def test_uris_are_written_as_the_sdk_writes_them(name: str) -> None:
    for uri, repository, tag, region in uris(name):
        assert image_uri(repository, tag, region) == uri


def test_tags_of_xgboost_are_those_of_the_sdk() -> None:
    (tags,) = RETRIEVED["tags"]["xgboost"]["sagemaker-xgboost"].values()
    known = next(one for one in REPOSITORIES if one.name == "sagemaker-xgboost")
    assert sorted(known.tags) == sorted(tags)


@pytest.mark.parametrize(
    "uri",
    [
        "000000000000.dkr.ecr.mars-north-1.amazonaws.com/kmeans:1",
        "174872318107.dkr.ecr-fips.us-gov-west-1.amazonaws.com/kmeans:latest",
        "174872318107.dkr-ecr.us-west-2.on.aws/kmeans",
        "localhost:5000/kmeans:my_tag",
        "localhost/kmeans:1",
        "kmeans",
        "kmeans:1",
        f"kmeans@{DIGEST}",
        f"174872318107.dkr.ecr.us-west-2.amazonaws.com/kmeans:1@{DIGEST}",
    ],
)
def test_any_registry_tag_and_digest_will_do(uri: str) -> None:
    assert algorithm_of_image(uri).algorithm == "kmeans"


@pytest.mark.parametrize(
    ("repository", "tag", "version"),
    [
        ("sagemaker-xgboost", "1.7-1", "1.7-1"),
        ("sagemaker-xgboost", "0.90-2-cpu-py3", "0.90-2"),
        ("sagemaker-xgboost", "latest", "3.0-5"),
        ("sagemaker-xgboost", "9.9-9", "9.9-9"),
        ("xgboost", "1", "0.72"),
        ("xgboost", "latest", "0.72"),
        ("kmeans", "latest", "1"),
    ],
)
def test_tags_tell_versions(repository: str, tag: str, version: str) -> None:
    assert image_version(repository, tag) == version
    assert algorithm_of_image(f"{repository}:{tag}").version == version


@pytest.mark.parametrize(
    "uri",
    ["382416733822.dkr.ecr.us-east-1.amazonaws.com/my-model:1", "python:3.12", "team/kmeans:1"],
)
def test_an_unknown_image_is_refused_with_the_known_ones(uri: str) -> None:
    with pytest.raises(CallerError, match=r"is none of a built-in algorithm.*kmeans.*xgboost"):
        algorithm_of_image(uri)


@pytest.mark.parametrize("uri", ["", "kmeans:", "kmeans:1:2", "a b", "../kmeans", "k" * 300, "K:1"])
def test_what_is_no_uri_is_refused(uri: str) -> None:
    with pytest.raises(CallerError, match="must be"):
        algorithm_of_image(uri)


@pytest.mark.parametrize(
    ("image", "hint", "algorithm"),
    [
        (
            "pytorch-training:1.9.0-cpu-py38",
            "s3://b/source-directory-tarballs/lightgbm/transfer_learning/classification/v1.0.0/sourcedir.tar.gz",
            "lightgbm",
        ),
        (
            "pytorch-inference:1.9.0-cpu-py38",
            "s3://b/catboost-infer/infer-catboost-regression-model.tar.gz",
            "catboost",
        ),
        (
            "pytorch-training:1.9.0-gpu-py38",
            "s3://b/pytorch-training/train-pytorch-tabtransformerclassification-model.tar.gz",
            "tabtransformer",
        ),
        (
            "tensorflow-training:2.8-gpu-py39",
            "s3://b/source-directory-tarballs/tensorflow/transfer_learning/ic/v1.0.0/sourcedir.tar.gz",
            "image-classification-tensorflow",
        ),
        (
            "tensorflow-training:2.8-gpu-py39",
            "s3://b/tensorflow-training/train-tensorflow-tc-bert-en-uncased-L-12-H-768-A-12-2.tar.gz",
            "text-classification-tensorflow",
        ),
        (
            "tensorflow-inference:2.8",
            "s3://b/source-directory-tarballs/tensorflow/inference/od1/v1.0.0/sourcedir.tar.gz",
            "object-detection-tensorflow",
        ),
    ],
)
def test_families_that_share_an_image_are_told_apart(image: str, hint: str, algorithm: str) -> None:
    uri = f"763104351884.dkr.ecr.us-west-2.amazonaws.com/{image}"
    assert algorithm_of_image(uri, hints=["transfer_learning.py", hint]).algorithm == algorithm


def test_a_shared_image_without_a_model_is_refused_with_its_families() -> None:
    with pytest.raises(CallerError, match="shared by lightgbm, catboost, tabtransformer"):
        algorithm_of_image("pytorch-training:1.9.0-cpu-py38", hints=["train.py"])


@pytest.mark.parametrize(
    "model_id", [one.replace("*", "some-model-1") for f in FAMILIES for one in f.model_ids]
)
def test_an_image_named_after_a_model_id_needs_no_hint(model_id: str) -> None:
    family = next(f for f in FAMILIES if f.mark.search(model_id))
    assert algorithm_of_image(f"lost.example/{model_id}:1").algorithm == family.algorithm


def test_declared_repositories_are_known_and_cannot_take_the_suite_s() -> None:
    own = {"column-means": "column-means", "kmeans": "column-means"}
    assert algorithm_of_image("column-means:2", own).algorithm == "column-means"
    assert algorithm_of_image("kmeans:2", own).algorithm == "kmeans"


def test_every_algorithm_with_accounts_has_an_image_in_its_regions() -> None:
    assert len(ACCOUNTS) == 37
    for one in REPOSITORIES:
        if one.accounts:
            assert repository_of(one.algorithm) is not None
            assert any(one.accounts in accounts for accounts in ACCOUNTS.values())
