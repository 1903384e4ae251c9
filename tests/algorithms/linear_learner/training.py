"""Trainings in memory on the data that scikit-learn bundles."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_array, random_array
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

from clary.algorithms.linear_learner.fit import fit
from clary.algorithms.linear_learner.model import LinearLearnerModel
from clary.algorithms.linear_learner.spec import ALGORITHM, LinearLearnerHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener

_SETS: dict[str, Callable[..., Any]] = {
    "binary_classifier": load_breast_cancer,
    "multiclass_classifier": load_wine,
    "regressor": load_diabetes,
    "digits": load_digits,
}


def rows(kind: str) -> Batch:
    """All rows of a set, in random order."""
    features, label = _SETS[kind](return_X_y=True)
    order = np.random.default_rng(0).permutation(len(label))
    return Batch(features[order].astype(np.float32), label[order].astype(np.float32))


def halves(kind: str) -> tuple[Batch, Batch]:
    """Rows to train on and rows to validate on."""
    batch = rows(kind)
    return batch.slice(0, batch.rows // 2), batch.slice(batch.rows // 2, batch.rows)


def many_rows(count: int = 12_000, kind: str = "binary_classifier") -> tuple[Batch, Batch, Batch]:
    """Train, validation and test: real rows, copied with noise enough that classes overlap."""
    batch = rows(kind)
    draw = np.random.default_rng(0)
    chosen = draw.integers(0, batch.rows, 2 * count)
    noise = draw.normal(size=(2 * count, batch.width)) * batch.dense().std(axis=0)
    noisy = (batch.dense()[chosen] + 3 * noise).astype(np.float32)
    copied = Batch(noisy, batch.labels()[chosen])
    third = count // 3
    return (
        copied.slice(0, count),
        copied.slice(count, count + third),
        copied.slice(count + third, 2 * count),
    )


def words(rows: int, width: int, seed: int = 0) -> Batch:
    """Rows like bags of words: ten of the columns in each, which add up to the label."""
    draw = np.random.default_rng(seed)
    features = random_array(
        (rows, width), density=10 / width, rng=draw, format="csr", dtype=np.float32
    )
    weights = np.random.default_rng(1).normal(size=width) * 3
    chances = 1 / (1 + np.exp(-(features @ weights)))
    return Batch(csr_array(features), (draw.uniform(size=rows) < chances).astype(np.float32))


def running(
    params: dict[str, Any], train: Batch, validation: Batch | None = None, **rest: Any
) -> Run[LinearLearnerHyperparameters]:
    """A training that is ready to begin."""
    channels = {"train": MemoryChannel("train", train)}
    if validation is not None:
        channels["validation"] = MemoryChannel("validation", validation)
    parsed = LinearLearnerHyperparameters.parse(params)
    return Run(ALGORITHM, parsed, channels, **{"reporter": Listener(), **rest})


def trained(
    params: dict[str, Any], train: Batch, validation: Batch | None = None, **rest: Any
) -> tuple[LinearLearnerModel, Listener]:
    """A trained model and what was said meanwhile."""
    run = running(params, train, validation, **rest)
    model = fit(run)
    assert isinstance(run.reporter, Listener)
    return model, run.reporter


def saved(model: LinearLearnerModel, folder: Path) -> bytes:
    """The artifact's bytes."""
    folder.mkdir(exist_ok=True)
    model.save(folder)
    return (folder / "model_algo-1").read_bytes()
