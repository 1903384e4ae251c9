"""What is learned, and the optimizer's memory of it: numbers for each feature, in tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.factorization_machines.spec import FactorizationMachinesHyperparameters
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from clary.kit.parallel import ordered_map

Floats: TypeAlias = npt.NDArray[np.float32]

_CHUNK_NUMBERS = 2**20
_STATE = "state.json"
_ARRAYS = ("bias", "linear", "factors", "means", "variances")


@dataclass
class Tables:
    """Parameters and the moments that Adam keeps of their gradients.

    bias: (3,), parameter, mean and variance; linear: (width, 3), likewise; factors, means,
    variances: (width, k). steps: mini-batches so far. full_rows: of a whole mini-batch, 0 before
    the first.
    """

    bias: Floats
    linear: Floats
    factors: Floats
    means: Floats
    variances: Floats
    steps: int = 0
    full_rows: int = 0

    @property
    def width(self) -> int:
        return len(self.linear)

    def save(self, folder: Path) -> None:
        """Write a checkpoint into an existing folder."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name), allow_pickle=False)
        counts = {"steps": self.steps, "full_rows": self.full_rows}
        (folder / _STATE).write_text(json.dumps(counts) + "\n")

    @classmethod
    def resumed(cls, folder: Path | None, like: Tables, cluster: Cluster) -> Tables:
        """The state of a folder, which the leader has, on every host.

        Raises:
            CallerError: it is damaged, or of a training with other shapes than those of `like`.
        """
        found = None if folder is None else _read(folder, like)
        for name in _ARRAYS:
            whole = cluster.broadcast(None if found is None else getattr(found, name))
            setattr(like, name, whole)
        counts = cluster.broadcast(None if found is None else [found.steps, found.full_rows])
        like.steps, like.full_rows = counts
        return like


def first_tables(
    params: FactorizationMachinesHyperparameters, width: int, rng: np.random.Generator
) -> Tables:
    """The tables before the first step."""
    shape = (width, params.num_factors)
    bias, linear, factors = rng.spawn(3)
    return Tables(
        _beside_moments(_drawn(params, "bias", (1, 1), bias, use=params.use_bias))[0],
        _beside_moments(_drawn(params, "linear", (width, 1), linear, use=params.use_linear)),
        _drawn(params, "factors", shape, factors, use=True),
        np.zeros(shape, np.float32),
        np.zeros(shape, np.float32),
    )


def _beside_moments(parameters: Floats) -> Floats:
    """(n, 3): parameters and moments of one feature lie in one cache line."""
    table = np.zeros((len(parameters), 3), np.float32)
    table[:, :1] = parameters
    return table


def _drawn(
    params: FactorizationMachinesHyperparameters,
    group: str,
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    use: bool,
) -> Floats:
    """Parameters at the start, in chunks of rows that have a generator of their own each."""
    table = np.zeros(shape, np.float32)
    method = getattr(params, f"{group}_init_method")
    rows = max(1, _CHUNK_NUMBERS // shape[1])
    starts = range(0, shape[0], rows) if use else range(0)

    def fill(task: tuple[int, np.random.Generator]) -> None:
        start, draws = task
        part = table[start : start + rows]
        if method == "constant":
            part[:] = getattr(params, f"{group}_init_value")
        elif method == "normal":
            draws.standard_normal(out=part, dtype=np.float32)
            part *= np.float32(getattr(params, f"{group}_init_sigma"))
        else:
            draws.random(out=part, dtype=np.float32)
            part -= np.float32(0.5)
            part *= np.float32(2 * getattr(params, f"{group}_init_scale"))

    for _ in ordered_map(fill, zip(starts, rng.spawn(len(starts)), strict=True)):
        pass
    return table


def _read(folder: Path, like: Tables) -> Tables:
    try:
        arrays: dict[str, Any] = {
            name: np.load(folder / f"{name}.npy", allow_pickle=False) for name in _ARRAYS
        }
        counts = json.loads((folder / _STATE).read_text())
        steps, full_rows = int(counts["steps"]), int(counts["full_rows"])
    except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError):
        raise CallerError.of(f"checkpoint {folder}", "is damaged or foreign") from None
    for name, array in arrays.items():
        wanted = getattr(like, name)
        if array.shape != wanted.shape or array.dtype != wanted.dtype:
            rule = f"must be of a training like this one: {name} of shape {wanted.shape}"
            raise CallerError.of(f"checkpoint {folder}", rule, array.shape)
    return Tables(**arrays, steps=steps, full_rows=full_rows)
