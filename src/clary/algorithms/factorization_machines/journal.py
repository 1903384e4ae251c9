"""What a training tells while it runs, in the lines of SageMaker's log."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from clary.algorithms.factorization_machines.learner import Learned
from clary.algorithms.factorization_machines.scores import Doubles, scores_of
from clary.algorithms.factorization_machines.spec import FactorizationMachinesHyperparameters
from clary.kit.run import Run


class Journal:
    """Lines and metrics of one training."""

    def __init__(self, run: Run[FactorizationMachinesHyperparameters]) -> None:
        self._run = run
        self._rows = 0
        self._started = self._epoch_started = time.time()

    def batch(self, epoch: int, number: int, learned: Learned) -> None:
        """A mini-batch; those of the interval are told."""
        self._rows += learned.rows
        if number % self._run.params.batch_metrics_publish_interval == 0 and learned.tally[0]:
            for name, value in self._scores(learned.tally).items():
                self._run.report(f"train:{name}:batch", value, epoch=epoch, batch=number)

    def epoch(self, epoch: int, total: Doubles) -> None:
        """The end of an epoch. total: the tally of its rows."""
        run = self._run
        for name, value in self._scores(total).items():
            run.report(f"train:{name}:epoch", value, epoch=epoch)
        self._metrics(epoch)
        run.progress(100 * min(1, (epoch + 1) / run.params.epochs))
        run.throughput(self._rows / max(time.time() - self._started, 1e-9))
        self._epoch_started = time.time()

    def end(self, total: Doubles) -> None:
        """The final scores: those of the last epoch."""
        for name, value in self._scores(total).items():
            self._run.report(f"train:{name}", value)

    def _scores(self, total: Doubles) -> Mapping[str, float]:
        return scores_of(self._run.params.predictor_type, total)

    def _metrics(self, epoch: int) -> None:
        now = time.time()
        spent = 1000 * (now - self._epoch_started)
        counted = {"sum": float(self._rows), "count": 1, "min": self._rows, "max": self._rows}
        told: dict[str, Any] = {
            "StartTime": self._epoch_started,
            "EndTime": now,
            "Dimensions": {
                "Algorithm": "factorization-machines",
                "Host": self._run.cluster.host,
                "Operation": "training",
                "epoch": epoch,
            },
            "Metrics": {
                "update.time": {"sum": spent, "count": 1, "min": spent, "max": spent},
                "Total Records Seen": counted,
            },
        }
        self._run.log(f"#metrics {json.dumps(told)}")
