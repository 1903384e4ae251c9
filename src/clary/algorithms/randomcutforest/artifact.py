"""What a model has beside its forest's arrays: where it stands, its threshold, its last rows."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clary.algorithms.randomcutforest.spec import RandomCutForestHyperparameters
from clary.algorithms.randomcutforest.trees import Floats
from clary.errors import CallerError

_STATE, _LAST_ROWS = "forest.json", "last_rows.npy"
_NUMBERS = ("seen", "clock", "mean", "variance", "weight")
# So that a forest can be read without Clary's manifest
_HYPERPARAMETERS = ("feature_dim", "num_samples_per_tree", "shingle_size", "time_decay")


def write_state(
    folder: Path,
    params: RandomCutForestHyperparameters,
    numbers: Mapping[str, float],
    last_rows: Floats,
) -> None:
    """Write both files into a folder; the numbers are those that `read_state` gives."""
    np.save(folder / _LAST_ROWS, last_rows, allow_pickle=False)
    known = params.values()
    state = {**{name: known[name] for name in _HYPERPARAMETERS}, **numbers}
    (folder / _STATE).write_text(json.dumps(state, indent=1) + "\n")


def read_state(folder: Path) -> dict[str, Any]:
    """The numbers `seen`, `clock`, `mean`, `variance` and `weight`, and hyperparameters.

    Raises:
        CallerError: there is no such file, or it holds something else.
    """
    path = folder / _STATE
    try:
        state = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise CallerError.of(f"model file {path}", "cannot be read", str(error)) from error
    if not isinstance(state, dict) or not all(_is_number(state.get(name)) for name in _NUMBERS):
        raise CallerError.of(f"model file {path}", f"must hold {', '.join(_NUMBERS)}")
    return state


def hyperparameters_of(state: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters among what `read_state` gave."""
    return {name: state[name] for name in _HYPERPARAMETERS if name in state}


def read_last_rows(folder: Path, params: RandomCutForestHyperparameters) -> Floats:
    """The rows that the next row of a series goes on from: fewer than shingle_size.

    Raises:
        CallerError: they cannot be read, or are not such rows.
    """
    path = folder / _LAST_ROWS
    try:
        rows = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CallerError.of(f"model file {path}", "cannot be read", str(error)) from error
    fits = rows.ndim == 2 and rows.dtype == np.float32 and len(rows) < params.shingle_size
    if not (fits and np.isfinite(rows).all() and rows.shape[1] == params.feature_dim):
        wrong = f"must hold fewer than {params.shingle_size} rows of feature_dim numbers"
        raise CallerError.of(f"model file {path}", wrong)
    return np.ascontiguousarray(rows)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and type(value) is not bool and math.isfinite(value)
