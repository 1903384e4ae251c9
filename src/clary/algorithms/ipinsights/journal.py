"""What a training tells while it runs, in the lines of SageMaker's log."""

from __future__ import annotations

import time
from dataclasses import dataclass

from clary.algorithms.ipinsights.spec import IPInsightsHyperparameters
from clary.kit.run import Run

_ENTROPY, _ACCURACY = "binary_classification_cross_entropy", "binary_classification_accuracy"


@dataclass
class _Sums:
    """Losses and right answers of `scores` scores."""

    scores: int = 0
    loss: float = 0.0
    right: float = 0.0

    def add(self, scores: int, loss: float, right: float) -> None:
        self.scores += scores
        self.loss += loss
        self.right += right


class Journal:
    """Lines and metrics of one training."""

    def __init__(self, run: Run[IPInsightsHyperparameters]) -> None:
        self._run = run
        self._began = self._reported = time.perf_counter()
        self._pairs = self._pairs_reported = self._batches = 0
        self._recent, self._epoch = _Sums(), _Sums()

    def batch(self, epoch: int, pairs: int, tries: int, loss: float, right: float) -> None:
        """A mini-batch of all hosts was learned; every so many are told of, with the speed."""
        self._pairs += pairs
        for sums in (self._recent, self._epoch):
            sums.add(pairs * tries, loss, right)
        if self._batches % self._run.params.batch_metrics_publish_interval == 0:
            now = time.perf_counter()
            speed = (self._pairs - self._pairs_reported) / max(now - self._reported, 1e-9)
            self._run.log(f"Epoch[{epoch}] Batch[{self._batches}] Speed: {speed:.2f} samples/sec")
            self._tell(self._recent, "", epoch, batch=self._batches)
            self._reported, self._pairs_reported, self._recent = now, self._pairs, _Sums()
        self._batches += 1

    def end_of_epoch(self, epoch: int) -> None:
        """All mini-batches of an epoch were learned, or as many as there was time for."""
        if self._epoch.scores:
            self._tell(self._epoch, ":epoch", epoch)
        seconds = max(time.perf_counter() - self._began, 1e-9)
        self._run.throughput(self._pairs / seconds)
        self._run.progress(100 * (epoch + 1) / self._run.params.epochs)
        self._batches, self._epoch = 0, _Sums()

    def _tell(self, sums: _Sums, when: str, epoch: int, **fields: int) -> None:
        loss, right = sums.loss / sums.scores, sums.right / sums.scores
        self._run.report(f"train:{_ENTROPY}{when}", loss, epoch=epoch, **fields)
        self._run.report(f"train:{_ACCURACY}{when}", right, epoch=epoch, **fields)
