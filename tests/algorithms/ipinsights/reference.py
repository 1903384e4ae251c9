"""The same network in plain PyTorch, differentiated by PyTorch, for exactness step by step."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from clary.algorithms.ipinsights.encoder import Encoder
from clary.algorithms.ipinsights.learner import Learner
from clary.algorithms.ipinsights.pairs import Pairs
from clary.algorithms.ipinsights.sampling import Negatives
from clary.codecs.addresses import Addresses


class Reference(nn.Module):
    """Begins where a learner is; takes the same pairs and negatives."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        network = learner.network
        self.rate, self.decay = learner.pace.learning_rate, learner.decay
        self.layers, self.step_number = learner.layers, 0
        self.entities = nn.Parameter(tensor(learner.entities.values))
        self.first = torch.zeros_like(self.entities)
        self.second = torch.zeros_like(self.entities)
        self.four, self.six = nn.Parameter(tensor(network.four)), nn.Parameter(tensor(network.six))
        self.bias = nn.Parameter(tensor(network.bias))
        self.further = nn.ModuleList(linear(network, at) for at in range(learner.layers - 1))
        rest = [one for name, one in self.named_parameters() if name != "entities"]
        self.adam = torch.optim.Adam(rest, lr=self.rate, weight_decay=self.decay)

    def addresses(self, addresses: Addresses) -> torch.Tensor:
        """(addresses, dim)."""
        rows = []
        for family, high, low in zip(addresses.family, addresses.high, addresses.low, strict=True):
            if family == 4:
                octets = int(low).to_bytes(4, "big")
                table, bias = self.four, self.bias[0]
            else:
                octets = int(high).to_bytes(8, "big") + int(low).to_bytes(8, "big")
                table, bias = self.six, self.bias[1]
            places = [256 * at + octet for at, octet in enumerate(octets)]
            rows.append(bias + table[places].sum(0))
        out = torch.stack(rows)
        out = torch.relu(out) if self.layers else out
        for layer in self.further:
            out = torch.relu(layer(out))
        return out

    def learn(self, pairs: Pairs, negatives: Negatives) -> float:
        """A step; the sum of the losses."""
        self.step_number += 1
        tries = negatives.tries
        addresses = negatives.addresses(pairs, np.arange(len(pairs)))
        who = torch.from_numpy(np.repeat(pairs.entity, tries)).long()
        scores = (self.entities[who] * self.addresses(addresses)).sum(1)
        real = (torch.arange(len(scores)) % tries == 0).float()
        loss = nn.functional.binary_cross_entropy_with_logits(scores, real)
        self.zero_grad()
        loss.backward()
        for one in self.parameters():
            # PyTorch leaves out what has no part in a loss; its slope is 0
            one.grad = torch.zeros_like(one) if one.grad is None else one.grad
        self.adam.step()
        self._move_entities(torch.unique(who))
        return loss.item() * len(scores)

    @torch.no_grad()
    def _move_entities(self, rows: torch.Tensor) -> None:
        """Adam for all rows, with weight decay for those that occur."""
        assert self.entities.grad is not None
        slopes = self.entities.grad.clone()
        slopes[rows] += self.decay * self.entities[rows]
        self.first = 0.9 * self.first + 0.1 * slopes
        self.second = 0.999 * self.second + 0.001 * slopes**2
        mean = self.first / (1 - 0.9**self.step_number)
        square = self.second / (1 - 0.999**self.step_number)
        self.entities -= self.rate * mean / (square.sqrt() + 1e-8)


def tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values.copy())


def linear(network: Encoder, number: int) -> nn.Linear:
    weights, bias = network.layer(number)
    layer = nn.Linear(*weights.shape)
    layer.weight, layer.bias = nn.Parameter(tensor(weights)), nn.Parameter(tensor(bias))
    return layer
