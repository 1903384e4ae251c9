"""IP Insights against the same network in plain PyTorch, from a file of logins to the vectors."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch
from pyarrow import csv
from torch import nn

from benchmarks.case import Case, Suite
from benchmarks.logins import logins, texts
from clary.algorithms.ipinsights.fit import fit
from clary.algorithms.ipinsights.model import IPInsightsModel
from clary.algorithms.ipinsights.spec import ALGORITHM, PAIR, IPInsightsHyperparameters
from clary.algorithms.ipinsights.validation import area, with_random
from clary.codecs.columns import batch_of
from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.kit.run import Run

_PAIRS, _PEOPLE, _HELD_OUT = 200_000, 20_000, 50_000
_ROWS, _BATCH, _EPOCHS, _RATE = 2 * _PEOPLE, 10_000, 3, 0.005

Scores = tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]


def prepare(pairs: int, folder: Path) -> None:
    """A file of logins."""
    (folder / "train").mkdir()
    options = csv.WriteOptions(include_header=False, quoting_style="none")
    csv.write_csv(texts(*logins(pairs, _PEOPLE)), folder / "train" / "logins.csv", options)


def ours(dim: int, epochs: int, layers: int, folder: Path) -> dict[str, float]:
    """Clary, from CSV; then, not timed, the quality."""
    started = time.perf_counter()
    contents = Contents(ALGORITHM.channel("train"), "text/csv")
    params = IPInsightsHyperparameters.parse(
        {
            "num_entity_vectors": _ROWS,
            "vector_dim": dim,
            "epochs": epochs,
            "learning_rate": _RATE,
            "mini_batch_size": _BATCH,
            "num_ip_encoder_layers": layers,
        }
    )
    channel = FolderChannel("train", folder / "train", contents)
    model = fit(Run(ALGORITHM, params, {"train": channel}))
    np.save(folder / "entities.npy", model.entities)
    return {"seconds": time.perf_counter() - started, "quality": _quality(model)}


def peer(dim: int, epochs: int, layers: int, folder: Path) -> dict[str, float]:
    """PyTorch with its fused Adam; sparse gradients with SparseAdam are no quicker."""
    started = time.perf_counter()
    torch.manual_seed(0)
    table = csv.read_csv(
        folder / "train" / "logins.csv",
        csv.ReadOptions(column_names=["entity", "ip"]),
    ).combine_chunks()
    names = table["entity"].combine_chunks().dictionary_encode()
    who = torch.from_numpy(names.indices.to_numpy().astype(np.int64))
    net = Net(_ROWS, dim, layers)
    _train(net, who, torch.from_numpy(_octets(table["ip"].combine_chunks())), epochs)
    np.save(folder / "peer.npy", net.entities.weight.detach().numpy())
    seconds = time.perf_counter() - started
    known = {name: place for place, name in enumerate(names.dictionary.to_pylist())}
    return {"seconds": seconds, "quality": _peer_quality(net, known)}


class Net(nn.Module):
    """The network of Clary's `encoder`, for IPv4."""

    def __init__(self, rows: int, dim: int, layers: int) -> None:
        super().__init__()
        self.entities = nn.Embedding(rows, dim)
        self.octets = nn.EmbeddingBag(4 * 256, dim, mode="sum")
        self.bias = nn.Parameter(torch.zeros(dim))
        self.further = nn.ModuleList(nn.Linear(dim, dim) for _ in range(layers - 1))
        self.layers = layers
        for weight in (self.entities.weight, self.octets.weight):
            nn.init.normal_(weight, 0, 0.03)
        for layer in self.further:
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)

    def addresses(self, octets: torch.Tensor) -> torch.Tensor:
        """(rows, 4) rows of the table of octets to (rows, dim)."""
        out: torch.Tensor = self.octets(octets) + self.bias
        out = torch.relu(out) if self.layers else out
        for layer in self.further:
            out = torch.relu(layer(out))
        return out


def _train(net: Net, who: torch.Tensor, octets: torch.Tensor, epochs: int) -> None:
    step = torch.optim.Adam(net.parameters(), lr=_RATE, weight_decay=1e-5, fused=True)
    loss_of = nn.BCEWithLogitsLoss()
    places = torch.arange(4) * 256
    for _ in range(epochs):
        for chosen in torch.randperm(len(who)).split(_BATCH):
            entity, real = net.entities(who[chosen]), net.addresses(octets[chosen])
            random = net.addresses(torch.randint(0, 256, (len(chosen), 4)) + places)
            others = (real, random, real.roll(int(torch.randint(1, len(chosen), ())), 0))
            scores = torch.cat([(entity * one).sum(1) for one in others])
            target = torch.zeros(len(scores))
            target[: len(chosen)] = 1
            step.zero_grad()
            loss_of(scores, target).backward()
            step.step()


def _octets(texts_of_addresses: pa.Array) -> npt.NDArray[np.int64]:
    """(rows, 4): rows of the table of octets."""
    parts = pc.split_pattern(texts_of_addresses, ".").flatten()
    numbers = pc.cast(parts, pa.int64()).to_numpy(zero_copy_only=False).reshape(-1, 4)
    return numbers + np.arange(4) * 256


def _quality(model: IPInsightsModel) -> float:
    rows = texts(*logins(_HELD_OUT, _PEOPLE, seed=1))
    pairs = model.pairs(batch_of(rows.columns, PAIR))
    return area(model.scores(pairs), model.scores(with_random(pairs)))


def _peer_quality(net: Net, known: dict[str, int]) -> float:
    """On the same pairs as ours; people who never logged in before have a vector of their own."""
    rows = texts(*logins(_HELD_OUT, _PEOPLE, seed=1))
    who = torch.tensor([known.get(name, _ROWS - 1) for name in rows["entity"].to_pylist()])
    random = np.random.default_rng(0).integers(0, 256, (len(who), 4)) + np.arange(4) * 256
    with torch.no_grad():
        entity = net.entities(who)
        real, other = (
            (entity * net.addresses(torch.from_numpy(one))).sum(1).numpy()
            for one in (_octets(rows["ip"]), random)
        )
    return area(real, other)


def _case(name: str, dim: int, epochs: int, layers: int) -> Case:
    return Case(
        name,
        partial(prepare, _PAIRS),
        partial(ours, dim, epochs, layers),
        partial(peer, dim, epochs, layers),
        "plain PyTorch",
        "AUC against random addresses",
        _PAIRS * epochs,
        "pairs",
        floor=2.0,
        goal=8.0,
    )


SUITE = Suite(
    "IP Insights",
    f"{_PAIRS:,} logins of {_PEOPLE:,} people (made by a rule) from CSV, {_ROWS:,} entity vectors, "
    f"mini-batches of {_BATCH:,}, one random and one shuffled negative, Adam at {_RATE}. The peer "
    "is the same network with PyTorch's fused Adam, as quick as its SparseAdam.",
    (
        _case("128 numbers, 3 epochs", 128, _EPOCHS, 1),
        _case("32 numbers, 3 epochs", 32, _EPOCHS, 1),
        _case("128 numbers, 2 layers, 1 epoch", 128, 1, 2),
    ),
)
