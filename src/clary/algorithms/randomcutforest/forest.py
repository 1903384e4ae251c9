"""A forest: its trees, the samples that they hold, and where it stands in its stream."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from clary.algorithms.randomcutforest.scoring import add_attributions, add_scores
from clary.algorithms.randomcutforest.trees import (
    NODE,
    Doubles,
    Floats,
    Integers,
    States,
    Trees,
    build,
    complete,
    empty_trees,
    enlarged,
)
from clary.algorithms.randomcutforest.updating import follow
from clary.errors import CallerError
from clary.kit.parallel import ordered_map, spread

_TREES, _SAMPLES, _NODES, _POINTS = "trees.npy", "samples.npy", "nodes.npy", "points.npy"
_TREE = np.dtype([("count", "<i4"), ("root", "<i4"), ("state", "<u8")])
_SAMPLE = np.dtype([("key", "<f8"), ("leaf", "<i4"), ("copies", "<i4")])
_CHUNK = 256


@dataclass
class Forest:
    """Random cut trees, each over a sample of its own.

    keys, leaves: (trees, capacity), of the sampled rows: what they were drawn by, where they are.
    states: (trees,), of random numbers. seen: rows offered so far.
    clock: the logarithm of what the weight of the next row is.
    """

    trees: Trees
    keys: Doubles
    leaves: Integers
    states: States
    seen: int = 0
    clock: float = 0.0
    # Where each tree's greatest key is, once a stream asks for it
    _greatest: Integers | None = field(default=None, init=False)

    @classmethod
    def empty(cls, trees: int, capacity: int, width: int, rng: np.random.Generator) -> Self:
        """A forest without rows."""
        shape = (trees, capacity)
        states = rng.integers(0, 2**64, trees, dtype=np.uint64)
        trees_ = empty_trees(trees, capacity, width)
        return cls(trees_, np.zeros(shape), np.zeros(shape, np.int32), states)

    @property
    def width(self) -> int:
        return int(self.trees.points.shape[2])

    @property
    def capacity(self) -> int:
        """Rows that a tree has room for."""
        return int(self.keys.shape[1])

    def grow(self, samples: Iterable[tuple[Floats, Doubles]]) -> None:
        """Fill the empty trees: rows, (count, width), and keys, (count,), for each."""

        def grown(place: tuple[int, tuple[Floats, Doubles]]) -> None:
            tree, (rows, keys) = place
            self.keys[tree, : len(keys)] = keys
            build(self.trees, tree, rows, self.states, self.leaves[tree])

        for _ in ordered_map(grown, enumerate(samples)):
            pass

    def scores(self, rows: Floats) -> Doubles:
        """(rows,): about 1 for usual rows, more for anomalies; 0 as long as there are no trees."""
        totals = np.zeros(len(rows))
        self._over_chunks(add_scores, rows, totals)
        return totals / len(self.states)

    def attributions(self, rows: Floats) -> Doubles:
        """(rows, width): what each feature adds to the score."""
        totals = np.zeros(rows.shape)
        self._over_chunks(add_attributions, rows, totals)
        return totals / len(self.states)

    def follow(self, row: Floats, decay: float) -> int:
        """Offer a row, (width,), to every tree; how many took it into their samples."""
        if self._greatest is None:
            used = np.arange(self.capacity) < self.trees.held[:, None]
            self._greatest = np.where(used, self.keys, -np.inf).argmax(axis=1).astype(np.int32)
        state = self.keys, self.leaves, self._greatest, self.states
        taken = follow(self.trees, *state, row, self.clock)
        self.seen += 1
        self.clock += decay
        return taken

    def enlarge(self, capacity: int) -> None:
        """Make room for larger samples."""
        if capacity <= self.capacity:
            return
        more = capacity - self.capacity
        self.trees = enlarged(self.trees, capacity)
        self.keys = np.pad(self.keys, ((0, 0), (0, more)))
        self.leaves = np.pad(self.leaves, ((0, 0), (0, more)))

    def save(self, folder: Path) -> None:
        """Write the files of the forest into a folder."""
        trees = self.trees
        held = np.zeros(len(trees.held), _TREE)
        held["count"], held["root"], held["state"] = trees.held, trees.root, self.states
        samples = np.zeros(self.keys.shape, _SAMPLE)
        samples["key"], samples["leaf"], samples["copies"] = self.keys, self.leaves, trees.copies
        nodes = np.zeros(trees.mass.shape, NODE)
        for name in NODE.names or ():
            nodes[name] = np.where(trees.mass > 0, getattr(trees, name), 0)
        points = np.where((trees.copies > 0)[..., None], trees.points, np.float32(0))
        for name, array in (
            (_TREES, held),
            (_SAMPLES, samples),
            (_NODES, nodes),
            (_POINTS, points),
        ):
            np.save(folder / name, array, allow_pickle=False)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The forest of a folder, all but where it stands in its stream.

        Raises:
            CallerError: the files are not a forest's, or damaged.
        """
        held = _read(folder / _TREES, 1, _TREE)
        points = _read(folder / _POINTS, 3, np.dtype("<f4"))
        shape = len(held), points.shape[1]
        samples = _read(folder / _SAMPLES, 2, _SAMPLE)
        nodes = _read(folder / _NODES, 2, NODE)
        fits = points.shape[0] == shape[0] and samples.shape == shape and points.size > 0
        if not fits or nodes.shape != (shape[0], max(shape[1] - 1, 1)):
            raise CallerError.of(f"model {folder}", "its files do not fit together")
        trees = empty_trees(*shape, points.shape[2])
        parts = {**_fields(nodes), "copies": samples["copies"], "points": points}
        for name, array in {**parts, "held": held["count"], "root": held["root"]}.items():
            getattr(trees, name)[:] = array
        forest = cls(
            trees,
            np.ascontiguousarray(samples["key"]),
            np.ascontiguousarray(samples["leaf"]),
            np.ascontiguousarray(held["state"]),
        )
        if not (np.isfinite(points).all() and forest._is_sound()):
            raise CallerError.of(f"model {folder}", "its trees are damaged")
        return forest

    def _over_chunks(self, work: Callable[..., None], rows: Floats, totals: Doubles) -> None:
        # Another kind of array would have the kernels compiled once more
        rows = np.require(rows, np.float32, ["C", "W"])

        def chunk(start: int) -> None:
            cut = slice(start, start + _CHUNK)
            work(self.trees, rows[cut], totals[cut])

        for _ in spread(chunk, range(0, len(rows), _CHUNK)):
            pass

    def _is_sound(self) -> bool:
        """Whether the trees are trees, and the samples theirs; boxes are worked out on the way."""
        if (self.trees.held < 0).any() or (self.trees.held > self.capacity).any():
            return False
        used = np.arange(self.capacity) < self.trees.held[:, None]
        if ((self.leaves < 0) | (self.leaves >= self.capacity))[used].any():
            return False
        first = self.capacity * np.arange(len(used))[:, None]
        counts = np.bincount((first + self.leaves)[used], minlength=used.size)
        return bool((counts == self.trees.copies.reshape(-1)).all() and complete(self.trees))


def _fields(nodes: npt.NDArray[Any]) -> dict[str, npt.NDArray[Any]]:
    return {name: nodes[name] for name in NODE.names or ()}


def _read(path: Path, dimensions: int, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """An array of a file.

    Raises:
        CallerError: there is none, or another one.
    """
    try:
        array: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise CallerError.of(f"model file {path}", "cannot be read", str(error)) from error
    if not isinstance(array, np.ndarray) or array.ndim != dimensions or array.dtype != kind:
        raise CallerError.of(f"model file {path}", "holds something else than a forest's")
    return np.ascontiguousarray(array)
