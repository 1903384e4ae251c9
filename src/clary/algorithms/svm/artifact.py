"""The files of a model: arrays as npy, what they mean as JSON.

svm.json: hyperparameters; `inputs`: plain, likenesses or waves; `head`: linear or one_vs_one. The
arrays have the names that they have in `scaling.py`, `machine.py`, `heads.py` and `calibration.py`;
sparse support vectors are four arrays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from clary.algorithms.svm.calibration import Calibration
from clary.algorithms.svm.heads import Head, Linear, OneVsOne
from clary.algorithms.svm.kernels import Kernel, Rows
from clary.algorithms.svm.machine import Inputs, Likenesses, Machine, Plain, Waves
from clary.algorithms.svm.scaling import Scaling
from clary.algorithms.svm.spec import SVMHyperparameters
from clary.errors import CallerError

Arrays: TypeAlias = Mapping[str, npt.NDArray[Any]]

NAME = "svm.json"
_SPARSE = ("data", "indices", "indptr", "shape")


@dataclass(frozen=True)
class Parts:
    """What a model is made of.

    support_counts: support vectors of each class, of a regressor all; () if there are none.
    """

    params: SVMHyperparameters
    machine: Machine
    support_counts: tuple[int, ...] = ()
    calibration: Calibration | None = None


def write(folder: Path, parts: Parts) -> None:
    """The files into an existing folder; the same model gives the same bytes."""
    machine = parts.machine
    for name, values in _arrays(parts):
        np.save(folder / f"{name}.npy", values, allow_pickle=False)
    told = {
        "algorithm": "svm",
        "inputs": type(machine.inputs).__name__.lower(),
        "head": "linear" if isinstance(machine.head, Linear) else "one_vs_one",
        "support_vectors": parts.support_counts,
        "hyperparameters": parts.params.values(),
    }
    (folder / NAME).write_text(json.dumps(told, indent=1) + "\n")


def read(folder: Path) -> Parts:
    """The model of a folder.

    Raises:
        CallerError: a file is missing or damaged, or the shapes differ.
    """
    try:
        told = json.loads((folder / NAME).read_bytes())
        arrays = {
            path.stem: np.load(path, allow_pickle=False) for path in sorted(folder.glob("*.npy"))
        }
        return _parts(told, arrays)
    except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
        raise CallerError.of(f"model {folder}", "its files are damaged", str(error)) from error


def recognizes(folder: Path) -> bool:
    """Whether `svm.json` is there and says so."""
    try:
        return bool(json.loads((folder / NAME).read_bytes())["algorithm"] == "svm")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _arrays(parts: Parts) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    machine, head = parts.machine, parts.machine.head
    yield "mean", machine.scaling.mean
    yield "scale", machine.scaling.scale
    if isinstance(machine.inputs, Likenesses):
        yield from _of_vectors(machine.inputs.vectors)
    elif isinstance(machine.inputs, Waves):
        yield "directions", machine.inputs.directions
        yield "offsets", machine.inputs.offsets
    if isinstance(head, Linear):
        yield "weights", head.weights
    else:
        yield "dual", head.dual
        yield "counts", head.counts.astype(np.int64)
    yield "bias", head.bias
    if parts.calibration is not None:
        yield "calibration", np.stack([parts.calibration.slopes, parts.calibration.offsets])


def _of_vectors(vectors: Rows) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    if isinstance(vectors, np.ndarray):
        yield "vectors", vectors
    else:
        yield "vectors_data", vectors.data
        yield "vectors_indices", vectors.indices.astype(np.int64)
        yield "vectors_indptr", vectors.indptr.astype(np.int64)
        yield "vectors_shape", np.array(vectors.shape)


def _parts(told: Mapping[str, Any], arrays: Arrays) -> Parts:
    params = SVMHyperparameters.parse(told["hyperparameters"])
    machine = Machine(
        Scaling(arrays["mean"], arrays["scale"]), _inputs(told, params, arrays), _head(told, arrays)
    )
    calibration = None
    if "calibration" in arrays:
        calibration = Calibration(*arrays["calibration"])
    # Whatever does not fit together shows on a row of zeros
    raw = machine.raw(np.zeros((1, len(machine.scaling.mean)), np.float32))
    if calibration is not None:
        calibration.probabilities(raw, machine.head)
    return Parts(params, machine, tuple(told["support_vectors"]), calibration)


def _inputs(told: Mapping[str, Any], params: SVMHyperparameters, arrays: Arrays) -> Inputs:
    if told["inputs"] == "plain":
        return Plain(len(arrays["mean"]))
    if told["inputs"] == "waves":
        return Waves(arrays["directions"], arrays["offsets"])
    kernel = Kernel(params.kernel, float(params.gamma), params.degree, params.coef0)
    if "vectors" in arrays:
        return Likenesses(kernel, arrays["vectors"])
    data, indices, indptr, shape = (arrays[f"vectors_{part}"] for part in _SPARSE)
    return Likenesses(kernel, csr_array((data, indices, indptr), shape=tuple(shape)))


def _head(told: Mapping[str, Any], arrays: Arrays) -> Head:
    if told["head"] == "linear":
        return Linear(arrays["weights"], arrays["bias"])
    return OneVsOne(arrays["dual"], arrays["counts"].astype(np.intp), arrays["bias"])
