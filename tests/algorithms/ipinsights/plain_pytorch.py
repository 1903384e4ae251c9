"""The network of one layer in PyTorch, trained as anyone would: Adam on everything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import nn

from clary.algorithms.ipinsights.pairs import pairs_of
from clary.algorithms.ipinsights.spec import PAIR
from tests.algorithms.ipinsights.training import SMALL, batch

Pairs: TypeAlias = "list[tuple[str, str]]"
Scorer: TypeAlias = Callable[[Pairs], np.ndarray]


class Net(nn.Module):
    def __init__(self, rows: int, dim: int) -> None:
        super().__init__()
        self.rows = rows
        self.entities = nn.Embedding(rows, dim)
        self.octets = nn.EmbeddingBag(4 * 256, dim, mode="sum")
        self.bias = nn.Parameter(torch.zeros(dim))
        for weight in (self.entities.weight, self.octets.weight):
            nn.init.normal_(weight, 0, 0.03)

    def numbers(self, pairs: Pairs) -> tuple[torch.Tensor, torch.Tensor]:
        """(rows,) of the table of entities, and (rows, 4) of that of octets."""
        found = pairs_of(batch(pairs), self.rows, PAIR)
        low = found.addresses.low.astype(np.int64)
        places = (low[:, None] >> np.array([24, 16, 8, 0]) & 255) + np.arange(4) * 256
        return torch.from_numpy(found.entity).long(), torch.from_numpy(places)

    def addresses(self, places: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.octets(places) + self.bias)

    @torch.no_grad()
    def scores(self, pairs: Pairs) -> np.ndarray:
        who, places = self.numbers(pairs)
        return (self.entities(who) * self.addresses(places)).sum(1).numpy()


def in_pytorch(pairs: Pairs, epochs: int, seed: int) -> Scorer:
    """What tells the scores of a trained network."""
    torch.manual_seed(seed)
    given: dict[str, Any] = SMALL
    net = Net(given["num_entity_vectors"], given["vector_dim"])
    step = torch.optim.Adam(net.parameters(), lr=given["learning_rate"], weight_decay=1e-5)
    who, own = net.numbers(pairs)
    for _ in range(epochs):
        for some in torch.randperm(len(who)).split(given["mini_batch_size"]):
            entity, real = net.entities(who[some]), net.addresses(own[some])
            random = torch.randint(0, 256, (len(some), 4)) + torch.arange(4) * 256
            tries = (real, net.addresses(random), real.roll(7, 0))
            scores = torch.cat([(entity * one).sum(1) for one in tries])
            target = (torch.arange(len(scores)) < len(some)).float()
            step.zero_grad()
            nn.functional.binary_cross_entropy_with_logits(scores, target).backward()
            step.step()
    return net.scores
