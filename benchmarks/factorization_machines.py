"""Factorization machines against plain PyTorch with sparse gradients, from files to a model."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import csr_array
from torch import nn

from benchmarks.case import Case, Suite
from clary.algorithms.factorization_machines.fit import fit
from clary.algorithms.factorization_machines.spec import (
    ALGORITHM,
    FactorizationMachinesHyperparameters,
)
from clary.codecs.batch import Batch
from clary.codecs.content_type import RECORDIO, parse_content_type
from clary.codecs.formats import encode
from clary.data.channel import MemoryChannel
from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.kit.run import Run

_FIELDS, _RANK, _SIZE = 8, 4, 64
_ROWS, _HELD_OUT, _BATCH = 200_000, 50_000, 1000
_LARGE = 100_000
_RATE, _SIGMA = 0.003, 0.01

Columns = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float32]


def prepare(width: int, folder: Path) -> None:
    """Clicks as sparse records, for the peer as arrays."""
    columns, label = clicks(width)
    (folder / "train").mkdir()
    train = Batch(_rows(columns[:_ROWS], width), label[:_ROWS])
    with (folder / "train" / "rows").open("wb") as out:
        encode([train], out, parse_content_type(RECORDIO))
    np.savez(folder / "rows.npz", columns=columns, label=label)


def clicks(width: int) -> tuple[Columns, Floats]:
    """(rows, 8) columns, one of each field and few of them frequent, and labels.

    The log odds are what features add, and products of hidden vectors, pair by pair.
    """
    draw = np.random.default_rng(0)
    part = width // _FIELDS
    choice = (part * draw.random((_ROWS + _HELD_OUT, _FIELDS)) ** 4).astype(np.int32)
    columns = choice + part * np.arange(_FIELDS, dtype=np.int32)
    kept = min(part, 500)
    added, hidden = draw.normal(0, 1, (_FIELDS, kept)), draw.normal(0, 0.5, (_FIELDS, kept, _RANK))
    fields = np.arange(_FIELDS)
    vectors = hidden[fields, choice % kept]
    odds = (vectors.sum(axis=1) ** 2 - (vectors**2).sum(axis=1)).sum(axis=1) / 2
    odds += added[fields, choice % kept].sum(axis=1)
    label = draw.random(len(odds)) < 1 / (1 + np.exp(-odds))
    return columns, label.astype(np.float32)


def _rows(columns: Columns, width: int) -> csr_array:
    ends = np.arange(0, columns.size + 1, _FIELDS, dtype=np.int32)
    ones = np.ones(columns.size, np.float32)
    return csr_array((ones, columns.ravel(), ends), shape=(len(columns), width))


def ours(width: int, epochs: int, folder: Path) -> dict[str, float]:
    """Clary, from records; then, not timed, the quality."""
    started = time.perf_counter()
    params = FactorizationMachinesHyperparameters.parse(
        {
            "feature_dim": width,
            "epochs": epochs,
            "num_factors": _SIZE,
            "predictor_type": "binary_classifier",
            "mini_batch_size": _BATCH,
            "factors_lr": _RATE,
            "linear_lr": _RATE,
            "bias_lr": _RATE,
            "factors_init_sigma": _SIGMA,
            **{f"{group}_wd": 0 for group in ("bias", "linear", "factors")},
        }
    )
    contents = Contents(ALGORITHM.channel("train"), RECORDIO)
    channel = FolderChannel("train", folder / "train", contents)
    model = fit(Run(ALGORITHM, params, {"train": channel}))
    model.save(folder)
    seconds = time.perf_counter() - started
    columns, label = _held_out(folder)
    found = model.evaluate(MemoryChannel("test", Batch(_rows(columns, width), label)))
    return {"seconds": seconds, "quality": found["test:binary_classification_cross_entropy"]}


def peer(width: int, folder: Path) -> dict[str, float]:
    """PyTorch, from arrays, with SparseAdam, which as ours touches what occurs alone."""
    started = time.perf_counter()
    torch.manual_seed(0)
    stored = np.load(folder / "rows.npz")
    columns = torch.from_numpy(stored["columns"][:_ROWS]).long()
    label = torch.from_numpy(stored["label"][:_ROWS])
    machine = Machine(width)
    tables = [machine.linear.weight, machine.factors.weight]
    steps = (
        torch.optim.SparseAdam(tables, lr=_RATE),
        torch.optim.Adam([machine.bias], lr=_RATE),
    )
    loss_of = nn.BCEWithLogitsLoss()
    for chosen in torch.randperm(_ROWS).split(_BATCH):
        machine.zero_grad()
        loss_of(machine(columns[chosen]), label[chosen]).backward()
        for step in steps:
            step.step()
    np.savez(folder / "peer.npz", *(one.detach().numpy() for one in tables))
    return {"seconds": time.perf_counter() - started, "quality": machine.loss(*_held_out(folder))}


class Machine(nn.Module):
    """Rows of eight features, all of them 1."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1))
        self.linear = nn.Embedding(width, 1, sparse=True)
        self.factors = nn.Embedding(width, _SIZE, sparse=True)
        for table in (self.linear, self.factors):
            nn.init.normal_(table.weight, 0, _SIGMA)

    def forward(self, columns: torch.Tensor) -> torch.Tensor:
        """(rows, 8) to (rows,) log odds."""
        vectors = self.factors(columns)
        pairs = (vectors.sum(1) ** 2 - (vectors**2).sum(1)).sum(1) / 2
        odds: torch.Tensor = self.bias + self.linear(columns).sum((1, 2)) + pairs
        return odds

    @torch.no_grad()
    def loss(self, columns: Columns, label: Floats) -> float:
        """Cross entropy of rows."""
        odds = self(torch.from_numpy(columns).long())
        loss = nn.functional.binary_cross_entropy_with_logits(odds, torch.from_numpy(label))
        return float(loss)


def _held_out(folder: Path) -> tuple[Columns, Floats]:
    stored = np.load(folder / "rows.npz")
    return stored["columns"][_ROWS:], stored["label"][_ROWS:]


def _roof(epochs: int, figures: dict[str, float]) -> float:
    """Vectors of all entries read twice, vectors and moments of as many read and written."""
    numbers = _ROWS * epochs * _FIELDS * _SIZE * (2 + 6)
    return 4 * numbers / figures["triad_bytes_a_second"]


def _case(width: int, epochs: int = 1, *, beside: bool = False) -> Case:
    floor, goal = (None, None) if width > _LARGE else (300_000.0, 1_000_000.0)
    return Case(
        f"{width:,} features, {epochs} epoch{'s' if epochs > 1 else ''}",
        partial(prepare, width),
        partial(ours, width, epochs),
        partial(peer, width) if beside else None,
        "PyTorch, SparseAdam" if beside else "SageMaker on four processors: 106,000 to 129,000",
        "log loss of held-out rows",
        _ROWS * epochs,
        "rows",
        floor=floor,
        goal=goal,
        roof_seconds=partial(_roof, epochs),
        measure="speed",
    )


SUITE = Suite(
    "Factorization machines",
    f"{_ROWS:,} rows of {_FIELDS} entries, {_SIZE} factors, mini-batches of {_BATCH:,}, from a "
    "file to a model's file; the peer begins with arrays. Few features are frequent. SageMaker's "
    "speed is that of logs that it published, on other data of this shape. The roof is the traffic "
    "of vectors and moments at the speed of memory; frequent ones stay in the cache. Of a million "
    "features, the first touch of 768 MB is a large part, so they set no floor.",
    (
        _case(100_000, beside=True),
        _case(10_000),
        _case(1_000_000, epochs=5),
    ),
)
