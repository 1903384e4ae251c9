"""One step after the other: scores of a mini-batch, its gradient, the step of Adam."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeAlias

import numpy as np
import numpy.typing as npt

from clary import settings
from clary.algorithms.factorization_machines import kernels
from clary.algorithms.factorization_machines.minibatches import MiniBatch
from clary.algorithms.factorization_machines.scores import Doubles, chances, tally
from clary.algorithms.factorization_machines.spec import FactorizationMachinesHyperparameters
from clary.algorithms.factorization_machines.tables import Tables
from clary.kit.cluster import Cluster

Floats: TypeAlias = npt.NDArray[np.float32]
Integers: TypeAlias = npt.NDArray[np.int32]

_EPSILON = 1e-8
# Numbers in the work of a thread that are worth the call
_WORTH_A_THREAD = 2**15


@dataclass(frozen=True)
class Learned:
    """What all hosts' rows of a mini-batch were, scored before they were learned from.

    tally: see `scores.tally`. stopping: whether a host wants to end.
    """

    rows: int
    tally: Doubles
    stopping: bool


class Learner:
    """Learns from mini-batches, on this host's threads and together with other hosts.

    The parts that threads get do not meet: each row's score and each feature's step is one
    thread's, so it has the same bits however many there are.
    """

    def __init__(
        self, params: FactorizationMachinesHyperparameters, tables: Tables, cluster: Cluster
    ) -> None:
        self.tables = tables
        self._params = params
        self._cluster = cluster
        self._pool = ThreadPoolExecutor(settings.threads(), thread_name_prefix="clary")
        self._threads = settings.threads()
        self._sums = np.empty((0, tables.factors.shape[1]), np.float32)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown()

    def learn(self, batch: MiniBatch | None, stop: bool) -> Learned:
        """One step with all hosts' rows; None where this host has none left."""
        sums, margins = self._scored(batch)
        errors, found = self._errors(batch, margins)
        told = [float(errors.sum(dtype=np.float64)), batch.rows if batch else 0, float(stop)]
        total = self._cluster.all_reduce(np.concatenate([found, told]))
        slope, rows, stopping = total[-3:]
        if rows:
            self.tables.steps += 1
            self.tables.full_rows = self.tables.full_rows or int(rows)
            self._bias_step(float(slope))
            if self._cluster.size == 1 and batch:
                self._learn_alone(batch, errors, sums)
            else:
                self._learn_together(batch, errors, sums)
        return Learned(int(rows), total[:-3], bool(stopping))

    def _scored(self, batch: MiniBatch | None) -> tuple[Floats, Floats]:
        """Sums, (rows, k), which the next batch overwrites, and scores, (rows,)."""
        tables, rows = self.tables, batch.rows if batch else 0
        if rows > len(self._sums):
            self._sums = np.empty((rows, tables.factors.shape[1]), np.float32)
        sums, margins = self._sums[:rows], np.empty(rows, np.float32)
        if batch:
            x = batch.window.features
            chosen = (x.indices, x.data, x.indptr, batch.chosen)
            given = (*chosen, tables.bias[0], tables.linear, tables.factors, sums, margins)
            self._shared(kernels.scores, given, rows, len(batch.entries))
        return sums, margins

    def _errors(self, batch: MiniBatch | None, margins: Floats) -> tuple[Floats, Doubles]:
        """Derivatives of the loss by the scores, (rows,), and the tally."""
        kind = self._params.predictor_type
        label = np.zeros(0, np.float32) if batch is None else batch.label
        weights = None if batch is None else batch.weights
        errors = (chances(margins) if kind == "binary_classifier" else margins) - label
        if weights is not None:
            errors *= weights
        return errors, tally(kind, label, margins, weights)

    def _bias_step(self, slope: float) -> None:
        bias = self.tables.bias
        if self._params.use_bias:
            slopes = np.array([slope], np.float32)
            kernels.adam(bias[0:1], bias[1:2], bias[2:3], slopes, self._step("bias"))

    def _learn_alone(self, batch: MiniBatch, errors: Floats, sums: Floats) -> None:
        grouped = (batch.touched, batch.ends, batch.places, batch.entries)
        self._shared(
            kernels.learn,
            (*grouped, errors, sums, *self._weights_and_steps()),
            len(batch.touched),
            len(batch.entries),
        )

    def _learn_together(self, batch: MiniBatch | None, errors: Floats, sums: Floats) -> None:
        """The step of the features that any host's rows have, against the sum of gradients."""
        none = np.zeros(0, np.int32)
        own = none if batch is None else batch.touched
        touched = np.unique(np.concatenate(self._cluster.gather(own)))
        slopes = np.zeros((len(touched), 1 + self.tables.factors.shape[1]), np.float32)
        if batch is not None:
            found = np.empty((len(own), slopes.shape[1]), np.float32)
            grouped = (own, batch.ends, batch.places, batch.entries)
            self._shared(
                kernels.gradients,
                (*grouped, errors, sums, self.tables.factors, found),
                len(own),
                len(batch.entries),
            )
            slopes[np.searchsorted(touched, own)] = found
        slopes = self._cluster.all_reduce(slopes)
        self._shared(
            kernels.follow,
            (touched, slopes, *self._weights_and_steps()),
            len(touched),
            len(touched),
        )

    def _weights_and_steps(self) -> tuple[Floats, ...]:
        tables = self.tables
        weights = (tables.linear, tables.factors, tables.means, tables.variances)
        return (*weights, self._step("linear"), self._step("factors"))

    def _step(self, group: str) -> Floats:
        """As `kernels.adam` takes it. A rate of 0 leaves the parameters as they are."""
        params, tables = self._params, self.tables
        rate = params.internal_learning_rate * getattr(params, f"{group}_lr")
        if group == "linear" and not params.use_linear:
            rate = 0.0
        whole = (1 - kernels.BETA_2**tables.steps) ** 0.5 / (1 - kernels.BETA_1**tables.steps)
        decay = params.internal_wd * getattr(params, f"{group}_wd")
        rescale = 1 / tables.full_rows if params.rescale_grad is None else params.rescale_grad
        clip = params.clip_gradient
        clip = np.inf if clip is None or clip < 0 else clip
        epsilon = _EPSILON if params.eps is None else params.eps
        return np.array([rate * whole, decay, rescale, clip, epsilon], np.float32)

    def _shared(
        self, work: Callable[..., None], given: tuple[Any, ...], count: int, entries: int
    ) -> None:
        """`work(*given, first, last)` over `count` items in parts, one for each thread."""
        numbers = entries * self.tables.factors.shape[1]
        parts = max(1, min(self._threads, count, numbers // _WORTH_A_THREAD))
        ends = [count * part // parts for part in range(parts + 1)]
        others = [
            self._pool.submit(work, *given, ends[part], ends[part + 1]) for part in range(1, parts)
        ]
        work(*given, 0, ends[1])
        for other in others:
            other.result()
