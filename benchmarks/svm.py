"""Support vector machines against scikit-learn: training and prediction, from and to files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.sparse import csr_array, load_npz, save_npz
from sklearn.datasets import load_digits
from sklearn.kernel_approximation import Nystroem
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, LinearSVC

from benchmarks.case import Case, Suite
from clary.algorithms.svm.fit import fit
from clary.algorithms.svm.spec import ALGORITHM, SVMHyperparameters
from clary.codecs.batch import Batch, Features
from clary.data.channel import MemoryChannel
from clary.kit.run import Run

_SIDE, _MOVED = 8, 40_000
_TEST = 0.25
_DOCUMENTS, _WORDS, _LENGTH, _TOPICS = 12_000, 50_000, 100, 10

Array = npt.NDArray[Any]
Peer = Callable[[], Any]


def prepare(folder: Path, rows: int, columns: int, target: str) -> None:
    """scikit-learn's digits, each turned, scaled and moved a little; of fewer columns, projected.

    target: what is to be told of an image: its digit, whether that is odd, or how far it is turned.
    """
    digits = load_digits()
    draw = np.random.default_rng(0)
    chosen = draw.integers(0, len(digits.images), rows)
    angles = draw.normal(0, 0.3, rows)
    images = np.stack(
        [_turned(digits.images[one], angle) for one, angle in zip(chosen, angles, strict=True)]
    )
    features = images.reshape(rows, -1) + draw.normal(0, 1.0, (rows, _SIDE**2))
    if columns < _SIDE**2:
        centered = features - features.mean(axis=0)
        features = centered @ np.linalg.svd(centered, full_matrices=False)[2][:columns].T
    label = {
        "digit": digits.target[chosen],
        "odd": digits.target[chosen] % 2,
        "angle": np.degrees(angles),
    }[target]
    np.save(folder / "features.npy", features.astype(np.float32))
    np.save(folder / "label.npy", label.astype(np.float32))


def prepare_text(folder: Path) -> None:
    """Bags of words: each topic likes its own words of a Zipf distribution."""
    draw = np.random.default_rng(0)
    label = draw.integers(0, _TOPICS, _DOCUMENTS)
    ranks = np.minimum(draw.zipf(1.2, (_DOCUMENTS, _LENGTH)), _WORDS) - 1
    # A third of the words follow the topic: the same ranks, other words
    own = draw.random(ranks.shape) < 1 / 3
    words = np.where(own, (ranks * (label[:, None] + 2) * 7919) % _WORDS, ranks)
    rows = np.repeat(np.arange(_DOCUMENTS), _LENGTH)
    counts = csr_array((np.ones(rows.size), (rows, words.ravel())), (_DOCUMENTS, _WORDS))
    counts.sum_duplicates()
    counts.indices, counts.indptr = (a.astype(np.int32) for a in (counts.indices, counts.indptr))
    counts.data = np.log1p(counts.data)
    lengths = np.sqrt(np.asarray(counts.multiply(counts).sum(axis=1))).ravel()
    counts.data /= np.repeat(lengths, np.diff(counts.indptr))
    save_npz(folder / "features.npz", counts.astype(np.float32))
    np.save(folder / "label.npy", label.astype(np.float32))


def _turned(image: Array, angle: float) -> Array:
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    middle = (_SIDE - 1) / 2
    found: Array = ndimage.affine_transform(image, turn, middle - turn @ [middle, middle], order=1)
    return found


def _read(folder: Path) -> tuple[Features, Array]:
    sparse = folder / "features.npz"
    features = csr_array(load_npz(sparse)) if sparse.exists() else np.load(folder / "features.npy")
    return features, np.load(folder / "label.npy")


def _measured(
    answer: Callable[[Features, Array, Features], Array], folder: Path
) -> dict[str, float]:
    """Reading, training and answering count; then, not timed, the quality."""
    started = perf_counter()
    features, label = _read(folder)
    cut = int(len(label) * (1 - _TEST))
    predicted = answer(features[:cut], label[:cut], features[cut:])
    np.save(folder / "predicted.npy", predicted)
    seconds = perf_counter() - started
    held_out = label[cut:]
    if np.array_equal(label, label.round()):
        return {"seconds": seconds, "quality": float(np.mean(predicted == held_out))}
    return {"seconds": seconds, "quality": float(np.sqrt(np.mean((predicted - held_out) ** 2)))}


def _ours(told: dict[str, Any], features: Features, label: Array, others: Features) -> Array:
    params = SVMHyperparameters.parse(told)
    model = fit(Run(ALGORITHM, params, {"train": MemoryChannel("train", Batch(features, label))}))
    outputs = model.predict(Batch(others))
    return np.asarray(outputs.get("predicted_label", outputs["score"]))


def _theirs(made: Peer, features: Features, label: Array, others: Features) -> Array:
    scaled = isinstance(features, np.ndarray)
    peer = make_pipeline(StandardScaler(), made()) if scaled else made()
    predicted: Array = peer.fit(features, label).predict(others)
    return predicted


def ours(told: dict[str, Any], folder: Path) -> dict[str, float]:
    """Clary."""
    return _measured(partial(_ours, told), folder)


def theirs(made: Peer, folder: Path) -> dict[str, float]:
    """scikit-learn; dense rows are scaled before, as Clary scales them inside."""
    return _measured(partial(_theirs, made), folder)


def _nystroem() -> Any:
    return make_pipeline(Nystroem(gamma=1 / 64, n_components=500, random_state=0), LinearSVC())


def _case(
    name: str,
    prepared: Callable[[Path], None],
    told: dict[str, Any],
    made: Peer,
    peer_name: str,
    amount: int,
) -> Case:
    quality = "error, degrees" if told["predictor_type"] == "regressor" else "accuracy"
    return Case(
        name,
        prepared,
        partial(ours, told),
        partial(theirs, made),
        peer_name,
        quality,
        amount,
        "rows",
        floor=1.0,
        goal=3.0,
    )


_DIGITS = {"predictor_type": "multiclass_classifier"}

SUITE = Suite(
    "Support vector machines",
    "Training on three quarters of the rows and answers for the others, from files in memory's "
    "cache to a file of answers; scikit-learn scales dense rows before. Rows are scikit-learn's "
    "digits, turned and made noisy, or bags of words. Settings are the same on both sides.",
    (
        _case(
            "rbf, ten classes, 64 features",
            partial(prepare, rows=8_000, columns=64, target="digit"),
            {**_DIGITS, "C": 10},
            partial(SVC, C=10),
            "scikit-learn SVC",
            8_000,
        ),
        _case(
            "rbf, ten classes, 16 features",
            partial(prepare, rows=10_000, columns=16, target="digit"),
            {**_DIGITS, "C": 10},
            partial(SVC, C=10),
            "scikit-learn SVC",
            10_000,
        ),
        _case(
            "rbf, two classes, 64 features",
            partial(prepare, rows=5_000, columns=64, target="odd"),
            {"predictor_type": "binary_classifier"},
            SVC,
            "scikit-learn SVC",
            5_000,
        ),
        _case(
            "rbf, regression, 64 features",
            partial(prepare, rows=5_000, columns=64, target="angle"),
            {"predictor_type": "regressor", "C": 10, "epsilon": 1},
            partial(SVR, C=10, epsilon=1),
            "scikit-learn SVR",
            5_000,
        ),
        _case(
            "linear, ten classes, 64 features",
            partial(prepare, rows=_MOVED, columns=64, target="digit"),
            {**_DIGITS, "kernel": "linear"},
            LinearSVC,
            "scikit-learn LinearSVC",
            _MOVED,
        ),
        _case(
            "linear, ten topics, 50,000 words",
            prepare_text,
            {**_DIGITS, "kernel": "linear"},
            LinearSVC,
            "scikit-learn LinearSVC",
            _DOCUMENTS,
        ),
        _case(
            "rbf by 500 Nyström components, 64 features",
            partial(prepare, rows=6_000, columns=64, target="digit"),
            {**_DIGITS, "kernel_approximation": "nystroem", "num_components": 500},
            _nystroem,
            "scikit-learn Nystroem, LinearSVC",
            6_000,
        ),
    ),
)
