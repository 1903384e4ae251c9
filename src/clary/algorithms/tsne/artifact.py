"""The files of a map: NumPy arrays, and the hyperparameters as JSON.

`rows` as compared, `map` their places, `numbers` their places in the training data, `label` if
there is one, `center` and `axes` (if rows were reduced) of the reduction.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clary.algorithms.tsne.spec import TSNEHyperparameters
from clary.errors import CallerError

Arrays = Mapping[str, npt.NDArray[Any]]

_SETTINGS = "tsne.json"
# Type and dimensions
_SHAPES = {
    "rows": (np.float32, 2),
    "map": (np.float32, 2),
    "numbers": (np.int64, 1),
    "center": (np.float64, 1),
    "label": (np.float32, 1),
    "axes": (np.float64, 2),
}
_OPTIONAL = frozenset({"label", "axes"})


def write(folder: Path, arrays: Arrays, params: TSNEHyperparameters) -> None:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array, allow_pickle=False)
    text = json.dumps({"hyperparameters": params.values()}, indent=1)
    (folder / _SETTINGS).write_text(text + "\n")


def read(
    folder: Path, settled: Mapping[str, Any] | None
) -> tuple[dict[str, npt.NDArray[Any]], TSNEHyperparameters]:
    """
    Raises:
        CallerError: a file is missing or damaged, or they do not belong together.
    """
    params = TSNEHyperparameters.parse(_settings(folder) if settled is None else settled)
    arrays = {}
    for name, (kind, dimensions) in _SHAPES.items():
        path = folder / f"{name}.npy"
        if name in _OPTIONAL and not path.exists():
            continue
        arrays[name] = _array(path)
        if arrays[name].ndim != dimensions or arrays[name].dtype != np.dtype(kind):
            rule = f"must be an array of {dimensions} dimensions of {np.dtype(kind)}"
            raise CallerError.of(f"model file {path}", rule)
    if not _belong_together(arrays, params):
        raise CallerError.of(f"model {folder}", "its arrays do not belong together")
    return arrays, params


def is_there(folder: Path) -> bool:
    return all((folder / name).exists() for name in (_SETTINGS, "rows.npy", "map.npy"))


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / _SETTINGS
    try:
        told = json.loads(path.read_text())["hyperparameters"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        told = None
    if not isinstance(told, dict):
        raise CallerError.of(f"model file {path}", "must hold the hyperparameters as a JSON object")
    return told


def _array(path: Path) -> npt.NDArray[Any]:
    try:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        rule = "is missing, damaged or not a NumPy array"
        raise CallerError.of(f"model file {path}", rule) from error
    return found


def _belong_together(arrays: Arrays, params: TSNEHyperparameters) -> bool:
    rows, places, axes = arrays["rows"], arrays["map"], arrays.get("axes")
    reduced = arrays["center"].shape if axes is None else axes.shape[1:]
    return (
        len({len(array) for name, array in arrays.items() if name not in {"center", "axes"}}) == 1
        and places.shape[1] == params.num_components
        and reduced == rows.shape[1:]
        and (axes is None or len(axes) == len(arrays["center"]))
        and all(bool(np.isfinite(array).all()) for array in arrays.values())
    )
