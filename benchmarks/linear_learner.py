"""Linear learner against scikit-learn, from files to a model file at equal loss."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

import joblib
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from scipy.sparse import csr_array
from sklearn.datasets import dump_svmlight_file, load_svmlight_file
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.case import Case, Suite
from clary.algorithms.linear_learner.fit import fit
from clary.algorithms.linear_learner.spec import ALGORITHM, LinearLearnerHyperparameters
from clary.codecs.batch import Batch
from clary.codecs.content_type import RECORDIO, parse_content_type
from clary.codecs.formats import encode
from clary.data.channel import Channel, MemoryChannel
from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.kit.run import Run

Floats: TypeAlias = npt.NDArray[np.float32]

_ROWS = {"train": 60_000, "validation": 10_000, "test": 30_000}
_LEVELS = (9, 16, 7, 15, 6, 5, 2, 41)
_NUMBERS = 6
_MODELS, _EPOCHS = 32, 15
_SPARSE_WIDTH = 20_000
_BY_LOSS = {
    "predictor_type": "binary_classifier",
    "binary_classifier_model_selection_criteria": "loss_function",
    "num_models": _MODELS,
}
_SHORT = {**_BY_LOSS, "epochs": 5, "mini_batch_size": 500}


def prepare(folder: Path) -> None:
    """Rows like a census: eight categories, a column for each of their values, and six numbers."""
    for name, (features, label) in _census().items():
        rows = np.column_stack([label, features])
        np.save(folder / f"{name}.npy", rows)
        for kind in ("csv", "recordio"):
            (folder / kind / name).mkdir(parents=True)
        table = pa.table(list(rows.T), [str(number) for number in range(rows.shape[1])])
        options = pyarrow.csv.WriteOptions(include_header=False)
        pyarrow.csv.write_csv(table, folder / "csv" / name / "rows.csv", options)
        with (folder / "recordio" / name / "rows.rec").open("wb") as out:
            encode([Batch(features, label)], out, parse_content_type(RECORDIO))


def prepare_sparse(folder: Path) -> None:
    """Rows like texts: forty words of twenty thousand, the rare ones rarer."""
    draw = np.random.default_rng(0)
    weights = draw.normal(size=_SPARSE_WIDTH)
    for name, rows in _ROWS.items():
        words = (_SPARSE_WIDTH * draw.uniform(size=(rows, 40)) ** 3).astype(np.int32)
        ends = np.arange(rows + 1, dtype=np.int32) * 40
        ones = np.ones(words.size, np.float32)
        counts = csr_array((ones, words.ravel(), ends), shape=(rows, _SPARSE_WIDTH))
        counts.sum_duplicates()
        label = draw.uniform(size=rows) < 1 / (1 + np.exp(-(counts @ weights) / 3))
        (folder / name).mkdir()
        dump_svmlight_file(counts, label.astype(int), str(folder / name / "rows.libsvm"))


def ours_csv(folder: Path) -> dict[str, float]:
    """Clary, from CSV files."""
    return _ours(folder, lambda: _files(folder / "csv", "text/csv"), _SHORT)


def peer_csv(folder: Path) -> dict[str, float]:
    """scikit-learn, from what pyarrow reads."""
    return _peer(folder, lambda: _table(folder / "csv" / "train" / "rows.csv"), _dense_lbfgs())


def ours_arrays(folder: Path) -> dict[str, float]:
    """Clary, from arrays."""
    return _ours(folder, lambda: _arrays(folder), _SHORT)


def peer_arrays(folder: Path) -> dict[str, float]:
    """scikit-learn, from arrays, with the solver for many rows of few features."""
    newton = LogisticRegression(solver="newton-cholesky")
    return _peer(folder, lambda: _parted(folder), make_pipeline(StandardScaler(), newton))


def ours_recordio(folder: Path) -> dict[str, float]:
    """Clary, from RecordIO-protobuf, all epochs with the hyperparameters' defaults."""
    params = {**_BY_LOSS, "epochs": _EPOCHS, "early_stopping_patience": _EPOCHS}
    return _ours(folder, lambda: _files(folder / "recordio", RECORDIO), params)


def ours_sparse(folder: Path) -> dict[str, float]:
    """Clary, from libsvm files; larger mini-batches, as each touches thousands of features."""
    params = {**_SHORT, "mini_batch_size": 2000}
    return _ours(folder, lambda: _files(folder, "text/libsvm"), params)


def peer_sparse(folder: Path) -> dict[str, float]:
    """scikit-learn, from what it reads itself, with the C of 0.01, 0.03, 0.1, 1 that does best."""
    return _peer(folder, lambda: _counts(folder, "train"), LogisticRegression(C=0.1, max_iter=1000))


def _ours(
    folder: Path, opened: Callable[[], dict[str, Channel]], params: dict[str, Any]
) -> dict[str, float]:
    started = perf_counter()
    settled = LinearLearnerHyperparameters.parse(params)
    model = fit(Run(ALGORITHM, settled, opened()))
    saved = folder / "ours"
    saved.mkdir(exist_ok=True)
    model.save(saved)
    seconds = perf_counter() - started
    features, label = _held_out(folder)
    return {"seconds": seconds, "quality": _loss(label, model.predict(Batch(features))["score"])}


def _peer(folder: Path, read: Callable[[], tuple[Any, Floats]], model: Any) -> dict[str, float]:
    started = perf_counter()
    model.fit(*read())
    joblib.dump(model, folder / "peer.joblib")
    seconds = perf_counter() - started
    features, label = _held_out(folder)
    return {"seconds": seconds, "quality": _loss(label, model.predict_proba(features)[:, 1])}


def _dense_lbfgs() -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))


def _files(folder: Path, content_type: str) -> dict[str, Channel]:
    return {
        name: FolderChannel(name, folder / name, Contents(ALGORITHM.channel(name), content_type))
        for name in ("train", "validation")
    }


def _arrays(folder: Path) -> dict[str, Channel]:
    return {
        name: MemoryChannel(name, Batch(*_parted(folder, name))) for name in ("train", "validation")
    }


def _parted(folder: Path, name: str = "train") -> tuple[Floats, Floats]:
    rows = np.load(folder / f"{name}.npy")
    return np.ascontiguousarray(rows[:, 1:]), rows[:, 0]


def _table(path: Path) -> tuple[Floats, Floats]:
    single = {f"f{number}": pa.float32() for number in range(1 + sum(_LEVELS) + _NUMBERS)}
    label, *features = pyarrow.csv.read_csv(
        path,
        pyarrow.csv.ReadOptions(column_names=list(single)),
        convert_options=pyarrow.csv.ConvertOptions(column_types=single),
    ).columns
    return np.column_stack([column.to_numpy() for column in features]), label.to_numpy()


def _counts(folder: Path, name: str) -> tuple[csr_array, Floats]:
    path = str(folder / name / "rows.libsvm")
    features, label = load_svmlight_file(
        path, n_features=_SPARSE_WIDTH, dtype=np.float32, zero_based=True
    )
    return csr_array(features), label


def _held_out(folder: Path) -> tuple[Any, Floats]:
    return _parted(folder, "test") if (folder / "test.npy").exists() else _counts(folder, "test")


def _loss(label: Floats, chances: npt.NDArray[np.floating]) -> float:
    return float(log_loss(label, chances.astype(np.float64)))


def _census() -> dict[str, tuple[Floats, Floats]]:
    """By name of the part; the label follows a linear rule with some chance in it."""
    draw = np.random.default_rng(0)
    effects = [draw.normal(size=levels) for levels in _LEVELS]
    found = {}
    for name, rows in _ROWS.items():
        numbers = draw.normal(size=(rows, _NUMBERS))
        score = numbers @ np.linspace(1, 0.2, _NUMBERS) - 1.5
        parts = [np.exp(numbers / 2)]
        for levels, effect in zip(_LEVELS, effects, strict=True):
            value = (levels * draw.uniform(size=rows) ** 2).astype(int)
            score += effect[value]
            parts.append(np.eye(levels)[value])
        label = draw.uniform(size=rows) < 1 / (1 + np.exp(-score))
        found[name] = (np.hstack(parts).astype(np.float32), label.astype(np.float32))
    return found


def _roof(figures: dict[str, float]) -> float:
    width = sum(_LEVELS) + _NUMBERS
    return _ROWS["train"] * 5 * 4 * width * _MODELS / figures["sgemm_flop_a_second"]


SUITE = Suite(
    "Linear learner",
    f"{_ROWS['train']:,} rows of {sum(_LEVELS) + _NUMBERS} features, categories as columns of 0 "
    f"and 1; {_SPARSE_WIDTH:,} features where sparse. Clary trains {_MODELS} models and keeps one, "
    "scikit-learn one with C=1 on features scaled by StandardScaler (where sparse, with the best C "
    "of four, unscaled). Both from files to a model file; quality is the log-loss of "
    f"{_ROWS['test']:,} rows held out. Clary has epochs=5 and mini_batch_size=500, with which its "
    "loss is that of the optimum to the fourth digit (where sparse, 2,000). The roof is 4 × rows × "
    "epochs × features × models operations at the speed of sgemm.",
    (
        Case(
            "CSV",
            prepare,
            ours_csv,
            peer_csv,
            "pyarrow and scikit-learn lbfgs",
            "log-loss",
            _ROWS["train"],
            "rows",
            goal=1.0,
            roof_seconds=_roof,
        ),
        Case(
            "arrays",
            prepare,
            ours_arrays,
            peer_arrays,
            "scikit-learn newton-cholesky",
            "log-loss",
            _ROWS["train"],
            "rows",
            goal=1.0,
            roof_seconds=_roof,
        ),
        Case(
            "sparse libsvm",
            prepare_sparse,
            ours_sparse,
            peer_sparse,
            "scikit-learn's reader and lbfgs",
            "log-loss",
            _ROWS["train"],
            "rows",
            goal=1.0,
        ),
        Case(
            f"RecordIO, {_EPOCHS} epochs of the defaults",
            prepare,
            ours_recordio,
            None,
            "SageMaker's logs on 4 processors: 7,000 to 8,000 rows/s",
            "log-loss",
            _ROWS["train"] * _EPOCHS,
            "rows",
            floor=150_000,
            measure="speed",
        ),
    ),
)
