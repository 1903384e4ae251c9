"""Support vector machines: Cortes and Vapnik, "Support-vector networks" (1995).

1. Bring all rows together and settle what the data tell: width, classes, gamma (`gathering.py`).
2. Scale (`scaling.py`).
3. Choose the inputs of the machine: the rows themselves for kernel linear; kernel values with the
   support vectors; or, of many rows, features that stand for the kernel (`approximation.py`).
4. Solve (`kernel_solver.py`, `linear_solver.py`, `primal.py`).
5. Calibrate probabilities by cross-validation, if they are asked for (`calibration.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from clary.algorithms.svm.approximation import Landmarks, approximated, landmarks, waves
from clary.algorithms.svm.calibration import Calibration, calibrated
from clary.algorithms.svm.gathering import SVMRun, TrainingRows, training_rows
from clary.algorithms.svm.heads import Head, Integers, Linear, OneVsOne, pairs_of
from clary.algorithms.svm.kernel_solver import solve_kernel
from clary.algorithms.svm.kernels import Doubles, Kernel, Rows
from clary.algorithms.svm.labels import class_weights, counted_classes
from clary.algorithms.svm.linear_solver import solve_linear
from clary.algorithms.svm.machine import Inputs, Likenesses, Machine, Plain
from clary.algorithms.svm.model import SVMModel
from clary.algorithms.svm.problem import Problem, Settings, Told, watched
from clary.algorithms.svm.scaling import Scaling
from clary.algorithms.svm.spec import losses_of
from clary.codecs.batch import Features
from clary.kit.parallel import one_thread_blas

# Rows of a problem, of the two largest classes for classifiers, that libsvm still solves in minutes
_MOST_ROWS = 20_000
_COMPONENTS = 1000
_FILLED = 0.5
_MOST_ITERATIONS = 1000
# Of machines on approximated kernels
_SQUARED_LOSSES = {
    "binary_classifier": "squared_hinge",
    "multiclass_classifier": "squared_hinge",
    "regressor": "squared_epsilon_insensitive",
}


def fit(run: SVMRun) -> SVMModel:
    """Train a machine.

    Raises:
        CallerError: the data or the hyperparameters do not allow it.
    """
    with one_thread_blas():
        return _fitted(run)


def _fitted(run: SVMRun) -> SVMModel:
    rows = training_rows(run)
    classes = _settled(run, rows)
    scaling = _scaling(run, rows)
    scaled = scaling.of_rows(rows.features)
    _settle_kernel(run, rows, scaled, classes)
    stage = _stage(run, rows, scaled, classes)
    machine, support = watched(lambda told: stage.solved(scaling, told), _told(run))
    counts = _support_counts(support, classes)
    calibration = _calibration(run, rows, classes, stage) if run.params.probability else None
    run.progress(100)
    model = SVMModel(run.params, machine, counts, calibration)
    if "validation" in run.channels and run.cluster.is_leader:
        for name, value in model.scores(run.channels["validation"]).items():
            run.report(f"validation:{name}", value, **model.metric_fields())
    return model


def _settled(run: SVMRun, rows: TrainingRows) -> int:
    """How many classes there are, 1 for numbers; what follows from the data alone is settled."""
    params = run.params
    linear = params.kernel == "linear"
    settled: dict[str, object] = {}
    if params.normalize_data == "auto":
        settled["normalize_data"] = _is_filled(rows.features)
    if params.tol == "auto":
        settled["tol"] = 1e-4 if linear else 1e-3
    if params.max_iter == "auto" and linear:
        settled["max_iter"] = _MOST_ITERATIONS
    if params.loss == "auto" and linear:
        settled["loss"] = losses_of(params.predictor_type)[0]
    classes = 1
    if params.predictor_type != "regressor":
        classes = counted_classes(rows.label, params.predictor_type, params.num_classes)
        if params.predictor_type == "multiclass_classifier" and params.num_classes is None:
            settled["num_classes"] = classes
    run.resolved(**settled)
    return classes


def _is_filled(features: Features) -> bool:
    """Whether rows are of measurements, also in a sparse format: words come few to a row."""
    if isinstance(features, np.ndarray):
        return True
    return bool(features.nnz > _FILLED * features.shape[0] * features.shape[1])


def _scaling(run: SVMRun, rows: TrainingRows) -> Scaling:
    if run.params.normalize_data:
        return Scaling.of(rows.features)
    return Scaling.none(rows.features.shape[1])


def _settle_kernel(run: SVMRun, rows: TrainingRows, scaled: Rows, classes: int) -> None:
    params = run.params
    if params.kernel == "linear":
        run.resolved(kernel_approximation="none")
        return
    if isinstance(params.gamma, str):
        run.resolved(gamma=_gamma(params.gamma, scaled))
    largest = rows.count
    if classes > 1:
        largest = int(np.sort(np.bincount(rows.label.astype(np.intp)))[-2:].sum())
    if params.kernel_approximation == "auto":
        chosen = "none" if largest <= _MOST_ROWS else "nystroem"
        if chosen != "none":
            run.log(
                f"{largest} rows in one problem are more than {_MOST_ROWS}, what libsvm solves in "
                "minutes: the kernel is approximated (kernel_approximation=none keeps it)"
            )
        run.resolved(kernel_approximation=chosen)
    if run.params.kernel_approximation != "none" and params.num_components == "auto":
        run.resolved(num_components=_COMPONENTS)


def _gamma(word: str, scaled: Rows) -> float:
    width = int(scaled.shape[1])
    if word == "auto":
        return 1.0 / width
    if isinstance(scaled, np.ndarray):
        variance = float(scaled.var())
    else:
        count = scaled.shape[0] * width
        mean = float(scaled.data.sum()) / count
        variance = float(scaled.data @ scaled.data) / count - mean**2
    return 1.0 / (width * variance) if variance > 0 else 1.0


def undone(head: Linear, scaling: Scaling) -> Linear:
    """A head on scaled rows as one on the rows as they are."""
    weights = head.weights / scaling.scale
    return Linear(weights, head.bias - weights @ scaling.mean)


@dataclass(frozen=True)
class _Stage:
    """What is solved: a problem, and how its solution becomes a machine.

    kernel: of the exact solver, None where the machine is linear in its inputs.
    """

    problem: Problem
    settings: Settings
    inputs: Inputs
    kernel: Kernel | None = None
    landmarks: Landmarks | None = None

    def head(self, problem: Problem, told: Told) -> tuple[Head, Integers | None]:
        """The head, and for kernels the places of the vectors that it is laid out for."""
        if self.kernel is None:
            return solve_linear(problem, self.settings, told), None
        found = solve_kernel(problem, self.kernel, self.settings, told)
        return found.head, found.support

    def solved(
        self, scaling: Scaling, told: Told
    ) -> tuple[Machine, npt.NDArray[np.floating] | None]:
        """The machine, and the labels of its support vectors."""
        head, support = self.head(self.problem, told)
        if self.kernel is not None and support is not None:
            vectors = Likenesses(self.kernel, self.problem.inputs[support])
            return Machine(scaling, vectors, head), self.problem.labels[support]
        assert not isinstance(head, OneVsOne)
        if isinstance(self.inputs, Plain):
            return Machine(
                Scaling.none(self.inputs.inputs), self.inputs, undone(head, scaling)
            ), None
        folded = head if self.landmarks is None else self.landmarks.folded(head)
        return Machine(scaling, self.inputs, folded), None

    def decider(self, told: Told, places: Integers) -> Callable[[Integers], Doubles]:
        """Trained on some rows, what gives raw decisions of others."""
        part = self.problem.of(places)
        head, support = self.head(part, told)
        if self.kernel is None or support is None:
            return lambda others: head.raw(self.problem.inputs[others])
        vectors = Likenesses(self.kernel, part.inputs[support])
        machine = Machine(Scaling.none(part.inputs.shape[1]), vectors, head)
        return lambda others: machine.raw(self.problem.inputs[others])


def _stage(run: SVMRun, rows: TrainingRows, scaled: Rows, classes: int) -> _Stage:
    params, settings = run.params, _settings(run)
    labels = rows.label.astype(np.float64)
    costs = _costs(run, rows, classes)
    if params.kernel == "linear":
        plain = Plain(scaled.shape[1])
        return _Stage(Problem(scaled, labels, costs, classes), settings, plain)
    assert not isinstance(params.gamma, str)
    kernel = Kernel(params.kernel, params.gamma, params.degree, params.coef0)
    if params.kernel_approximation == "none":
        plain = Plain(scaled.shape[1])
        return _Stage(Problem(scaled, labels, costs, classes), settings, plain, kernel)
    assert not isinstance(params.num_components, str)
    if params.kernel_approximation == "random_features":
        wavy = waves(kernel, scaled.shape[1], params.num_components, run.rng)
        problem = Problem(approximated(wavy, scaled), labels, costs, classes)
        return _Stage(problem, settings, wavy)
    marks = landmarks(kernel, scaled, params.num_components, run.rng)
    problem = Problem(approximated(marks, scaled), labels, costs, classes)
    return _Stage(problem, settings, marks.likenesses, landmarks=marks)


def _support_counts(labels: npt.NDArray[np.floating] | None, classes: int) -> tuple[int, ...]:
    """Support vectors of each class; of numbers all of them; () where there are none."""
    if labels is None:
        return ()
    if classes == 1:
        return (len(labels),)
    return tuple(np.bincount(labels.astype(np.intp), minlength=classes).tolist())


def _settings(run: SVMRun) -> Settings:
    params = run.params
    linear = params.kernel == "linear"
    loss = params.loss if linear else _SQUARED_LOSSES[params.predictor_type]
    approximated = params.kernel_approximation != "none"
    limit = _MOST_ITERATIONS if linear or approximated else -1
    return Settings(
        C=params.C,
        epsilon=params.epsilon,
        tol=float(params.tol),
        max_iter=limit if params.max_iter == "auto" else params.max_iter,
        loss=loss,
        penalty=params.penalty,
        seed=int(run.rng.integers(2**31)),
    )


def _costs(run: SVMRun, rows: TrainingRows, classes: int) -> Doubles:
    costs = np.ones(rows.count) if rows.weights is None else rows.weights.astype(np.float64)
    if classes > 1:
        factors = class_weights(rows.label, classes, run.params.class_weight)
        costs = costs * factors[rows.label.astype(np.intp)]
    return costs


def _told(run: SVMRun) -> Told:
    return Told(
        run.cluster,
        run.log,
        lambda share: run.progress(100 * share * (0.2 if run.params.probability else 0.99)),
        lambda: run.stop,
    )


def _calibration(run: SVMRun, rows: TrainingRows, classes: int, stage: _Stage) -> Calibration:
    labels = rows.label
    first, second = pairs_of(classes)

    def targets(decision: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        if classes == 2:
            return np.ones(len(labels), bool), labels == 1
        if stage.kernel is None:
            return np.ones(len(labels), bool), labels == decision
        of_first = labels == first[decision]
        return of_first | (labels == second[decision]), of_first

    run.log("probabilities are calibrated by cross-validation in 5 folds")
    return watched(
        lambda told: calibrated(labels, classes, partial(stage.decider, told), targets, run.rng),
        Told(log=run.log, stopped=lambda: run.stop),
    )
