"""What a training tells while it runs, in the lines of SageMaker's log."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any

from clary.algorithms.linear_learner.model import LinearLearnerModel
from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters
from clary.kit.figures import Figure, Lines
from clary.kit.run import Run

_WINNING = ("lr_scheduler_step", "lr_scheduler_factor", "lr_scheduler_minimum_lr")
_MOST_CURVES = 8


class Journal:
    """Lines and curves of one training; `objective` is the loss's name there."""

    def __init__(self, run: Run[LinearLearnerHyperparameters], objective: str) -> None:
        self.run = run
        self.objective = objective
        self.curves: dict[str, list[list[float]]] = {}
        self.started = self.epoch_started = time.time()

    def losses(self, channel: str, epoch: int, losses: Iterable[float]) -> None:
        """Each model's loss on a channel after an epoch; the first model's is the metric."""
        values = [float(loss) for loss in losses]
        name = f"{channel}_{self.objective}_objective"
        for model, loss in enumerate(values):
            self._metrics(epoch, model, name, loss)
        self.run.report(
            f"{channel}:objective_loss", values[0], epoch=epoch, objective=self.objective
        )
        self.curves.setdefault(channel, []).append(values)

    def epoch(self, epoch: int, rows: int, watched: Mapping[str, float]) -> None:
        """The end of an epoch, when this host has learned from so many rows since the start."""
        run = self.run
        for name, value in watched.items():
            run.log(
                f"#early_stopping_criteria_metric: host={run.cluster.host}, epoch={epoch}, "
                f"criteria={name}, value={value!r}"
            )
        run.progress(100 * (epoch + 1) / run.params.epochs)
        run.throughput(rows / max(time.time() - self.started, 1e-9))
        self.epoch_started = time.time()

    def winner(self, model: int, settings: Mapping[str, float]) -> None:
        """Which candidate was kept."""
        params = self.run.params.values()
        told = {"optimizer": params["optimizer"], **settings}
        told |= {name: params[name] for name in _WINNING}
        self.run.log(f"Best model found for hyperparameters: {json.dumps(told)}")
        self.run.notes["model"] = model

    def scores(self, channel: str, scores: Mapping[str, float], model: LinearLearnerModel) -> None:
        """The scores of the model that was kept."""
        run, fields = self.run, model.metric_fields()
        objective = f"{self.objective}_objective"
        for name, value in scores.items():
            shown = {
                "binary_f_beta": f"binary_f_{fields['beta']}",
                "macro_f_beta": f"macro_f_{fields['beta']}",
                "multiclass_top_k_accuracy": f"multiclass_top_k_accuracy_{fields['k']}",
                "objective_loss": objective,
            }.get(name, name)
            run.log(f"#{channel}_score ({run.cluster.host}) : ('{shown}', {value!r})")
        for name, value in scores.items():
            final = ":final" if name == "objective_loss" else ""
            run.report(f"{channel}:{name}{final}", value, **fields)

    def figures(self, kept: int) -> list[Figure]:
        """The learning curves of the model that was kept and of a few others."""
        found: list[Figure] = []
        for channel, epochs in self.curves.items():
            shown = sorted(
                {kept, *range(0, len(epochs[0]), max(1, len(epochs[0]) // _MOST_CURVES))}
            )
            steps = [float(epoch) for epoch in range(len(epochs))]
            found.append(
                Lines(
                    f"Models tried, on {channel}",
                    "epoch",
                    self.objective,
                    {
                        f"model {one}{' (kept)' if one == kept else ''}": (
                            steps,
                            [losses[one] for losses in epochs],
                        )
                        for one in shown
                    },
                    emphasis=f"model {kept} (kept)",
                )
            )
        return found

    def _metrics(self, epoch: int, model: int, name: str, value: float) -> None:
        told: dict[str, Any] = {
            "StartTime": self.epoch_started,
            "EndTime": time.time(),
            "Dimensions": {
                "Algorithm": "Linear Learner",
                "Host": self.run.cluster.host,
                "Operation": "training",
                "epoch": epoch,
                "model": model,
            },
            "Metrics": {name: {"sum": value, "count": 1, "min": value, "max": value}},
        }
        self.run.log(f"#metrics {json.dumps(told)}")
