"""Image URIs: the repositories of SageMaker's built-in algorithms, and what a URI names.

Repositories and tags are those that `image_uris.retrieve` of the SageMaker SDK yields. Accounts are
in `registries.py`; they and tags are not looked at, since notebooks mix them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from clary.errors import CallerError

_REGISTRY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?")
_NAME = re.compile(
    r"(?P<repository>[a-z0-9]+(?:[._/-]+[a-z0-9]+)*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
_TAGS = ("1", "latest")
_XGBOOST_TAGS = (
    *("0.90-1-cpu-py3", "0.90-2-cpu-py3", "1.0-1-cpu-py3", "1.2-1", "1.2-2"),
    *("1.3-1", "1.5-1", "1.7-1", "3.0-5"),
)
# xgboost:1 and :latest are the container before the open-source one
_OLD_XGBOOST = "0.72"


@dataclass(frozen=True)
class Repository:
    """One repository. `accounts` is a column of `registries.ACCOUNTS`, or "" for none of them."""

    name: str
    algorithm: str
    accounts: str = "a"
    tags: tuple[str, ...] = _TAGS


@dataclass(frozen=True)
class Family:
    """An algorithm that JumpStart offers by model ids, on images that several families share.

    mark: what the model's id, source directory or artifact hold, and those of no other family.
    images: the repositories of frameworks that AWS runs it on.
    """

    algorithm: str
    model_ids: tuple[str, ...]
    mark: re.Pattern[str]
    images: tuple[str, ...]


@dataclass(frozen=True)
class ImageMatch:
    """What an image stands for."""

    algorithm: str
    repository: str
    version: str


_OPEN_SOURCE = ("pytorch-training", "pytorch-inference")
_TENSORFLOW = ("tensorflow-training", "tensorflow-inference")

REPOSITORIES = (
    Repository("linear-learner", "linear-learner"),
    Repository("kmeans", "kmeans"),
    Repository("pca", "pca"),
    Repository("sagemaker-xgboost", "xgboost", "f", _XGBOOST_TAGS),
    Repository("xgboost", "xgboost", "e"),
    Repository("knn", "knn"),
    Repository("randomcutforest", "randomcutforest"),
    Repository("ipinsights", "ipinsights"),
    Repository("factorization-machines", "factorization-machines"),
    Repository("lda", "lda", "b"),
    Repository("ntm", "ntm"),
    Repository("object2vec", "object2vec"),
    Repository("blazingtext", "blazingtext", "c"),
    Repository("seq2seq", "seq2seq", "c"),
    Repository("image-classification", "image-classification", "c"),
    Repository("object-detection", "object-detection", "c"),
    Repository("semantic-segmentation", "semantic-segmentation", "c"),
    Repository("forecasting-deepar", "forecasting-deepar", "d"),
    Repository("autogluon-training", "autogluon-tabular", "", ()),
    Repository("autogluon-inference", "autogluon-tabular", "", ()),
    Repository("sagemaker-rl-mxnet", "reinforcement-learning", "", ()),
    Repository("sagemaker-rl-tensorflow", "reinforcement-learning", "", ()),
    Repository("sagemaker-rl-coach-container", "reinforcement-learning", "", ()),
    Repository("sagemaker-rl-ray-container", "reinforcement-learning", "", ()),
    Repository("sagemaker-rl-vw-container", "reinforcement-learning", "", ()),
)

FAMILIES = (
    Family(
        "lightgbm",
        ("lightgbm-classification-model", "lightgbm-regression-model"),
        re.compile("lightgbm"),
        _OPEN_SOURCE,
    ),
    Family(
        "catboost",
        ("catboost-classification-model", "catboost-regression-model"),
        re.compile("catboost"),
        _OPEN_SOURCE,
    ),
    Family(
        "tabtransformer",
        (
            "pytorch-tabtransformerclassification-model",
            "pytorch-tabtransformerregression-model",
        ),
        re.compile("tabtransformer"),
        _OPEN_SOURCE,
    ),
    Family(
        "autogluon-tabular",
        ("autogluon-classification-ensemble", "autogluon-regression-ensemble"),
        re.compile(r"autogluon-(?:classification|regression)-ensemble|/autogluon/"),
        (),
    ),
    Family(
        "text-classification-tensorflow",
        ("tensorflow-tc-*",),
        re.compile(r"tensorflow-tc-|/tensorflow/[^/]+/tc/"),
        _TENSORFLOW,
    ),
    Family(
        "image-classification-tensorflow",
        ("tensorflow-ic-*",),
        re.compile(r"tensorflow-ic-|/tensorflow/[^/]+/ic/"),
        _TENSORFLOW,
    ),
    Family(
        "object-detection-tensorflow",
        ("tensorflow-od1-*", "tensorflow-od-*"),
        re.compile(r"tensorflow-od1?-|/tensorflow/[^/]+/od1?/"),
        _TENSORFLOW,
    ),
)
SHARED = frozenset(image for family in FAMILIES for image in family.images)
_BY_NAME: Mapping[str, Repository] = {one.name: one for one in REPOSITORIES}


@dataclass(frozen=True)
class Image:
    """The parts of a URI."""

    registry: str
    repository: str
    tag: str

    @classmethod
    def parse(cls, uri: str) -> Image:
        """
        Raises:
            CallerError: it is no image's URI.
        """
        registry, mark, rest = uri.partition("/")
        # Docker's own rule for what is a registry
        named = bool(mark) and ("." in registry or ":" in registry or registry == "localhost")
        found = _NAME.fullmatch(rest if named else uri)
        wrong = named and not _REGISTRY.fullmatch(registry)
        if len(uri) > 255 or found is None or wrong:
            raise CallerError.of("image", "must be [REGISTRY/]REPOSITORY[:TAG][@DIGEST]", uri)
        return cls(registry if named else "", found["repository"], found["tag"] or "latest")


def algorithm_of_image(
    uri: str, declared: Mapping[str, str] | None = None, hints: Iterable[str] = ()
) -> ImageMatch:
    """The algorithm that an image stands for, whatever its account, region and tag.

    declared: algorithms by repository beyond SageMaker's, as declarations name them.
    hints: what else a request says of a JumpStart model (its source directory, its artifact), by
    which families that share an image are told apart.

    Raises:
        CallerError: it is no known image; the known ones are named.
    """
    image, own = Image.parse(uri), declared or {}
    repository = image.repository
    version = image_version(repository, image.tag)
    if known := _BY_NAME.get(repository):
        return ImageMatch(known.algorithm, repository, version)
    if repository in own:
        return ImageMatch(own[repository], repository, version)
    if family := _family_of_id(repository):
        return ImageMatch(family.algorithm, repository, version)
    if repository in SHARED:
        return ImageMatch(_shared(uri, repository, list(hints)), repository, version)
    known_names = ", ".join(sorted({*_BY_NAME, *own}))
    raise CallerError.of(
        "image",
        "is none of a built-in algorithm",
        uri,
        f"Known repositories, with any account, region and tag: {known_names}.",
    )


def image_version(repository: str, tag: str) -> str:
    """The version that a tag names: `1.7-1`, `0.90-1-cpu-py3` is 0.90-1, `latest` is 1."""
    if repository == "xgboost" and tag in _TAGS:
        return _OLD_XGBOOST
    if repository == "sagemaker-xgboost" and tag == "latest":
        return _XGBOOST_TAGS[-1]
    return "1" if tag == "latest" else tag.removesuffix("-py3").removesuffix("-cpu")


def _family_of_id(model_id: str) -> Family | None:
    for family in FAMILIES:
        for known in family.model_ids:
            stem = known.removesuffix("*")
            if model_id == known or (stem != known and model_id.startswith(stem)):
                return family
    return None


def _shared(uri: str, repository: str, hints: list[str]) -> str:
    """Which of the families that share an image is meant."""
    families = [family for family in FAMILIES if repository in family.images]
    meant = [one for one in families if any(one.mark.search(hint) for hint in hints)]
    if len(meant) == 1:
        return meant[0].algorithm
    names = ", ".join(family.algorithm for family in families)
    raise CallerError.of(
        "image",
        f"is shared by {names}, and nothing in the request names a JumpStart model of one of them",
        uri,
        "Give JumpStart's source directory or model artifact, or an image named after the model.",
    )
