"""The contest of the candidates: epochs, early stopping, checkpoints, and the pick."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner.candidates import candidates_of
from clary.algorithms.linear_learner.journal import Journal
from clary.algorithms.linear_learner.losses import loss_of
from clary.algorithms.linear_learner.minibatches import Passes
from clary.algorithms.linear_learner.model import LinearLearnerModel, sigmoid
from clary.algorithms.linear_learner.parallel_models import Schedule
from clary.algorithms.linear_learner.selection import EarlyStopping, calibrate, first_of_the_lowest
from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters
from clary.algorithms.linear_learner.survey import Survey
from clary.algorithms.linear_learner.training import Verdict, training_of
from clary.data.channel import Channel, MemoryChannel
from clary.errors import CallerError
from clary.kit.run import Run

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

# The learning rate falls to this share over all epochs
_LAST_SHARE = 0.1
_UNKNOWN_LENGTH_STEP = 100
# Scores of all models that are kept for calibration
_MOST_SCORES = 2**26
_BY_LOSS = frozenset({"loss_function", "cross_entropy_loss"})
_ARRAYS, _HISTORY = "arrays.npz", "history.json"


class Contest:
    """One training from the survey to the model.

    `start` is the common start of all models, (outputs, width + bias).
    """

    def __init__(
        self, run: Run[LinearLearnerHyperparameters], survey: Survey, start: Floats
    ) -> None:
        self.run = run
        self.survey = survey
        self.scaling = survey.preparation.scaling
        self.loss = loss_of(run.params, self.scaling.label_scale)
        self.candidates = candidates_of(
            run.params,
            int(run.params.num_models),
            survey.rows,
            survey.balance,
            "validation" in run.channels,
        )
        self.training = training_of(run, survey.preparation, self.candidates, self.loss, start)
        self.stopping = EarlyStopping(
            run.params.early_stopping_patience, run.params.early_stopping_tolerance
        )
        self.journal = Journal(run, self.loss.objective)
        self.validated = "validation" in run.channels
        self.held_out: Channel = run.channels.get("validation") or MemoryChannel(
            "train", survey.sample
        )
        self.train_passes, self.held_out_passes = (
            Passes(channel, survey.preparation, self.training.batch_rows)
            for channel in (run.train, self.held_out)
        )
        self.times_judged = 0
        self.is_over = False
        most = _MOST_SCORES // len(self.candidates)
        if int(run.params.num_calibration_samples) > most:
            run.resolved(num_calibration_samples=most)
        if survey.complete:
            self._settle_step(-(-survey.rows // run.params.mini_batch_size))

    def epoch(self, epoch: int) -> None:
        """Train all candidates for an epoch, judge them, and keep the state."""
        losses = self.training.learn(self.train_passes, epoch, self._schedule(), self._stopped)
        self._settle_step(self.training.groups[0].steps)
        unit = self.loss.unit
        self.journal.losses("train", epoch, losses * unit)
        verdict = self._judge([group.averaged() for group in self.training.groups])
        if self.validated:
            self.journal.losses("validation", epoch, verdict.losses * unit)
        self.journal.epoch(epoch, self.train_passes.rows, self._watch(verdict, unit))
        stopped = self.run.cluster.all_reduce(np.array([float(self.run.stop)]))[0] > 0
        self.is_over = stopped or self.stopping.is_over
        if not stopped:
            self.run.checkpoints.save(epoch, self._write)

    def resume(self) -> int:
        """Take up the newest checkpoint; the epoch to go on with."""
        found = self.run.checkpoints.latest() if self.run.cluster.is_leader else None
        epoch = int(self.run.cluster.broadcast(-1 if found is None else found[0]))
        if epoch < 0:
            return 0
        arrays: dict[str, Any] = {}
        history = None
        if found is not None:
            with np.load(found[1] / _ARRAYS, allow_pickle=False) as saved:
                arrays = dict(saved)
            history = json.loads((found[1] / _HISTORY).read_text())
        history = self.run.cluster.broadcast(history)
        for number, group in enumerate(self.training.groups):
            named = {
                name: self.run.cluster.broadcast(arrays.get(f"{number}.{name}"))
                for name in group.arrays()
            }
            group.restore(named)
        self.stopping.restore(history["stopping"])
        self.journal.curves, self.times_judged = history["curves"], history["times_judged"]
        self.run.resolved(lr_scheduler_step=history["lr_scheduler_step"])
        self.is_over = self.stopping.is_over
        self.run.log(f"going on from the checkpoint of epoch {epoch}")
        return epoch + 1

    def winner(self) -> LinearLearnerModel:
        """The model of the best candidate, on the features' own scale.

        Raises:
            CallerError: every candidate diverged.
        """
        groups = self.training.groups
        losses = np.concatenate([group.best_loss for group in groups])
        if not np.isfinite(losses).any():
            raise CallerError.of(
                "learning_rate",
                "all models diverged: their losses are no finite numbers",
                float(self.candidates.learning_rate[0]),
                "Use a smaller one, and normalize_data=true.",
            )
        model, threshold = first_of_the_lowest(losses), self._usual_threshold
        if self._criterion:
            model, threshold = self._picked(losses, self._judge([group.best for group in groups]))
        settings = self.candidates.settings(model)
        self.journal.winner(model, settings)
        self.run.resolved(**settings)
        return self._finished(model, threshold)

    def _finished(self, model: int, threshold: float) -> LinearLearnerModel:
        size = self.training.groups[0].rules.outputs
        weights = np.concatenate([group.best for group in self.training.groups])
        weights = weights[model * size : (model + 1) * size]
        width = self.scaling.width
        bias = weights[:, width] if self.run.params.use_bias else np.zeros(size, np.float32)
        kept = LinearLearnerModel(
            self.run.params,
            *self.scaling.to_features(weights[:, :width], bias),
            threshold,
            self.survey.labelling.class_weights,
        )
        if self.run.cluster.is_leader:
            channel = "validation" if self.validated else "train"
            self.journal.scores(channel, kept.scores(self.held_out, self.times_judged), kept)
        self.run.notes["curves"] = self.journal.figures(model)
        return kept

    def _picked(self, losses: Doubles, verdict: Verdict) -> tuple[int, float]:
        """Model and threshold by the criterion.

        Criteria that differ by less than a standard error are equal; the loss decides.
        """
        labels = np.concatenate(self.run.cluster.gather(verdict.labels))
        found = []
        for scores in verdict.scores:
            linked = self._linked(np.concatenate(self.run.cluster.gather(scores)))
            usable = np.isfinite(linked).all()
            found.append(
                calibrate(linked, labels, self.run.params, self._usual_threshold)
                if usable
                else (self._usual_threshold, -math.inf)
            )
        values = np.array([value for _, value in found])
        best = float(values.max())
        error = math.sqrt(max(best * (1 - best), 0) / len(labels)) if 0 <= best <= 1 else 0.0
        model = first_of_the_lowest(np.where(values >= best - error, losses, np.inf))
        return model, found[model][0]

    def _judge(self, weights: list[Floats]) -> Verdict:
        keep = int(self.run.params.num_calibration_samples) if self._criterion else 0
        verdict = self.training.judge(self.held_out_passes, self.times_judged, weights, keep)
        self.times_judged += 1
        return verdict

    def _watch(self, verdict: Verdict, unit: float) -> dict[str, float]:
        """Keep better weights; note and tell what early stopping looks at."""
        losses, start = verdict.losses.copy(), 0
        for group in self.training.groups:
            own, weights = slice(start, start + len(group.candidates)), group.averaged()
            if not self.validated:
                losses[own] += group.penalties(weights)
            losses[own][~np.isfinite(losses[own])] = np.inf
            group.keep_better(weights, losses[own])
            start = own.stop
        model, criterion = int(np.argmin(losses)), None
        if self._criterion and self.validated and math.isfinite(losses[model]):
            scores = self._linked(np.concatenate(self.run.cluster.gather(verdict.scores[model])))
            labels = np.concatenate(self.run.cluster.gather(verdict.labels))
            criterion = calibrate(scores, labels, self.run.params, self._usual_threshold)[1]
        self.stopping.add(losses, criterion)
        watched = {f"{self.loss.objective}_objective": float(losses[model]) * unit}
        return (
            watched if criterion is None else {f"sampled_{self._criterion}": criterion, **watched}
        )

    @property
    def _criterion(self) -> str:
        """What picks a binary classifier beside its loss, or nothing."""
        chosen = self.run.params.binary_classifier_model_selection_criteria
        binary = self.run.params.predictor_type == "binary_classifier"
        return chosen if binary and chosen not in _BY_LOSS else ""

    @property
    def _usual_threshold(self) -> float:
        return 0.0 if self.run.params.loss == "hinge_loss" else 0.5

    def _linked(self, scores: Floats) -> Floats:
        return scores if self.run.params.loss == "hinge_loss" else sigmoid(scores)

    def _stopped(self) -> bool:
        return self.run.stop

    def _schedule(self) -> Schedule:
        params = self.run.params
        if not params.use_lr_scheduler:
            return Schedule(1.0, 1, 0.0)
        every = params.lr_scheduler_step
        return Schedule(
            float(params.lr_scheduler_factor),
            _UNKNOWN_LENGTH_STEP if every == "auto" else int(every),
            float(params.lr_scheduler_minimum_lr),
        )

    def _settle_step(self, steps_an_epoch: int) -> None:
        """`auto` lets the learning rate fall to a tenth over all epochs."""
        params = self.run.params
        if params.lr_scheduler_step == "auto":
            falls = math.log(_LAST_SHARE) / math.log(float(params.lr_scheduler_factor))
            self.run.resolved(
                lr_scheduler_step=max(1, round(steps_an_epoch * params.epochs / falls))
            )

    def _write(self, folder: Path) -> None:
        """The state after an epoch."""
        arrays = {
            f"{number}.{name}": array
            for number, group in enumerate(self.training.groups)
            for name, array in group.arrays().items()
        }
        np.savez(folder / _ARRAYS, **arrays)  # type: ignore[arg-type]
        history = {
            "stopping": self.stopping.state(),
            "curves": self.journal.curves,
            "times_judged": self.times_judged,
            "lr_scheduler_step": self.run.params.lr_scheduler_step,
        }
        (folder / _HISTORY).write_text(json.dumps(history))
