"""The same machine in plain torch: dense rows, pair by pair, gradients by autograd, in float64."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from clary.algorithms.factorization_machines.model import FactorizationMachinesModel
from clary.algorithms.factorization_machines.spec import FactorizationMachinesHyperparameters
from clary.codecs.batch import Batch

BETA_1, BETA_2 = 0.9, 0.999


@dataclass
class Group:
    """Parameters of which each row is one feature's, and Adam's moments."""

    values: torch.Tensor
    rate: float
    decay: float

    def __post_init__(self) -> None:
        self.values = self.values.double().requires_grad_()
        self.mean = torch.zeros_like(self.values)
        self.variance = torch.zeros_like(self.values)

    @torch.no_grad()
    def step(
        self, number: int, touched: torch.Tensor, rescale: float, clip: float, eps: float
    ) -> None:
        """Of the touched rows alone."""
        assert self.values.grad is not None
        slope = (rescale * self.values.grad + self.decay * self.values)[touched].clamp(-clip, clip)
        self.mean[touched] = BETA_1 * self.mean[touched] + (1 - BETA_1) * slope
        self.variance[touched] = BETA_2 * self.variance[touched] + (1 - BETA_2) * slope**2
        rate = self.rate * (1 - BETA_2**number) ** 0.5 / (1 - BETA_1**number)
        self.values[touched] -= rate * self.mean[touched] / (self.variance[touched].sqrt() + eps)
        self.values.grad = None


class Reference:
    """Learns from mini-batches as they are given."""

    def __init__(
        self, start: FactorizationMachinesModel, params: FactorizationMachinesHyperparameters
    ) -> None:
        self.params = params
        rate, decay = params.internal_learning_rate, params.internal_wd
        self.bias, self.linear, self.factors = (
            Group(torch.tensor(values), rate * own_rate, decay * own_decay)
            for values, own_rate, own_decay in (
                ([start.bias], params.bias_lr, params.bias_wd),
                (start.linear, params.linear_lr, params.linear_wd),
                (start.factors, params.factors_lr, params.factors_wd),
            )
        )

    def scores(self, rows: torch.Tensor) -> torch.Tensor:
        """(rows,), with each pair looked at."""
        products = self.factors.values @ self.factors.values.T
        pairs = torch.einsum("ri,ij,rj->r", rows, products.triu(1), rows)
        return self.bias.values + rows @ self.linear.values + pairs

    def learn(self, batches: Iterable[Batch]) -> None:
        """A step for each."""
        params = self.params
        clip = torch.inf if params.clip_gradient is None else params.clip_gradient
        full_rows = 0
        for number, batch in enumerate(batches, 1):
            full_rows = full_rows or batch.rows
            rows = torch.tensor(batch.dense()).double()
            label = torch.tensor(batch.labels()).double()
            found = self.scores(rows)
            if params.predictor_type == "regressor":
                loss = ((found - label) ** 2).sum() / 2
            else:
                loss = binary_cross_entropy_with_logits(found, label, reduction="sum")
            loss.backward()
            rescale = 1 / full_rows if params.rescale_grad is None else params.rescale_grad
            touched = (rows != 0).any(dim=0)
            always = torch.ones(1, dtype=torch.bool)
            for group in (self.linear, self.factors, self.bias):
                which = always if group is self.bias else touched
                group.step(number, which, rescale, clip, params.eps or 1e-8)

    def distances(self, model: FactorizationMachinesModel) -> np.ndarray:
        """(parameters,): how far each is from the model's, ascending."""
        pairs = ((self.bias, [model.bias]), (self.linear, model.linear),
                 (self.factors, model.factors))  # fmt: skip
        return np.sort(
            np.concatenate(
                [
                    np.abs(group.values.detach().numpy() - np.asarray(values)).ravel()
                    for group, values in pairs
                ]
            )
        )
