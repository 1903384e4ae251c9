"""Many linear models at once by stochastic gradients; the best one is kept.

1. Look at the first rows: width, classes, mean and deviation (`survey.py`, `scaling.py`).
2. Spread candidates round the given settings (`candidates.py`).
3. Epoch by epoch, train them all on the same mini-batches (`training.py`, `parallel_models.py`) and
   judge their averaged weights on validation, or on a sample of train (`contest.py`).
4. Of each candidate keep the best epoch; pick one and its threshold (`selection.py`), and bring its
   weights back to the features' own scale.

Averaging: Polyak and Juditsky, "Acceleration of stochastic approximation by averaging" (1992), with
polynomially growing weights as in Shamir and Zhang, "Stochastic gradient descent for non-smooth
optimization" (2013).
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.linear_learner import artifact
from clary.algorithms.linear_learner.contest import Contest
from clary.algorithms.linear_learner.model import LinearLearnerModel
from clary.algorithms.linear_learner.spec import LinearLearnerHyperparameters
from clary.algorithms.linear_learner.survey import Survey, survey_of
from clary.errors import CallerError
from clary.kit.parallel import one_thread_blas
from clary.kit.run import Run

Floats: TypeAlias = npt.NDArray[np.float32]


def fit(run: Run[LinearLearnerHyperparameters]) -> LinearLearnerModel:
    """Train candidates and keep the best.

    Raises:
        CallerError: data or hyperparameters cannot be used, or every candidate diverged.
    """
    with one_thread_blas():
        survey = survey_of(run)
        start = _initial(run, survey) if run.initial_model is None else _earlier(run, survey)
        contest = Contest(run, survey, start)
        for epoch in range(contest.resume(), run.params.epochs):
            if contest.is_over:
                break
            contest.epoch(epoch)
        return contest.winner()


def _initial(run: Run[LinearLearnerHyperparameters], survey: Survey) -> Floats:
    """Random weights, 0 for features that do not vary in the sample: (outputs, width + bias)."""
    params, scaling = run.params, survey.preparation.scaling
    shape = (survey.labelling.outputs, scaling.width)
    if params.init_method == "uniform":
        weights = run.rng.uniform(-params.init_scale, params.init_scale, shape)
    else:
        weights = run.rng.normal(0, params.init_sigma, shape)
    weights[:, ~scaling.varying] = 0
    return _with_bias(run, weights.astype(np.float32), np.full(len(weights), params.init_bias))


def _earlier(run: Run[LinearLearnerHyperparameters], survey: Survey) -> Floats:
    """The weights of the model to go on from."""
    assert run.initial_model is not None
    layer = artifact.read(run.initial_model)
    wanted = (survey.labelling.outputs, survey.preparation.scaling.width)
    if layer.weights.shape != wanted:
        raise CallerError.of(
            "channel model",
            f"its model must have {wanted[0]} outputs and {wanted[1]} features",
            f"{layer.weights.shape[0]} and {layer.weights.shape[1]}",
        )
    return _with_bias(run, *survey.preparation.scaling.to_training(layer.weights, layer.bias))


def _with_bias(
    run: Run[LinearLearnerHyperparameters], weights: Floats, bias: npt.NDArray[np.floating]
) -> Floats:
    if not run.params.use_bias:
        return weights
    return np.column_stack([weights, bias]).astype(np.float32)
