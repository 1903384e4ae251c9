"""What the first rows of train tell, and the hyperparameters that they settle."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clary.algorithms.linear_learner.labels import (
    Labelling,
    class_counts,
    labelling_of,
)
from clary.algorithms.linear_learner.minibatches import Preparation
from clary.algorithms.linear_learner.scaling import scaling_of
from clary.algorithms.linear_learner.spec import LOSSES, LinearLearnerHyperparameters
from clary.codecs.batch import Batch
from clary.kit.finite import check_finite
from clary.kit.run import Run
from clary.kit.width import features_of

_SAMPLE_BYTES = 64 * 2**20
_FEWEST_SAMPLED = 1000
_CALIBRATION_ROWS = 100_000
_MODELS = 32
# Weights of all models together, beyond which fewer models are trained
_MOST_WEIGHTS = 2**23
_SPARSE_BELOW = 0.05
# A mini-batch that is not to be made dense, however full
_LARGE_BYTES = 64 * 2**20
# On small data mini-batches are so small that an epoch has this many
_FEWEST_BATCHES = 16
_SMALLEST_BATCH = 16


@dataclass(frozen=True)
class Survey:
    """sample: the first rows of this host. rows: rows of all hosts' samples.

    complete: the samples are all there is. balance: weight of label 1 that makes up for its rarity.
    """

    sample: Batch
    rows: int
    complete: bool
    preparation: Preparation
    balance: float

    @property
    def labelling(self) -> Labelling:
        return self.preparation.labelling


def survey_of(run: Run[LinearLearnerHyperparameters]) -> Survey:
    """Look at the first rows and settle every hyperparameter that does not wait for the training.

    Raises:
        CallerError: rows or labels are not what the hyperparameters say.
    """
    sample, complete = _sample(run)
    _settle_width(run, sample)
    width = int(run.params.feature_dim)
    if not sample.rows:  # a host may have none
        sample = Batch(np.zeros((0, width), np.float32), np.zeros(0, np.float32))
    check_finite(features_of(sample, width, "train"), "train")
    run.resolved(loss=_first_if_auto(run.params))
    labelling = labelling_of(sample, run.params, run.cluster)
    labels = labelling.checked(sample, "train")
    counts = run.cluster.all_reduce(class_counts(labels, labelling))
    rows, held, hosts_sparse, hosts_done = run.cluster.all_reduce(
        np.array([sample.rows, _held(sample), sample.is_sparse, complete], dtype=np.float64)
    )
    sparse = bool(hosts_sparse) and _stays_sparse(run.params, width, held / (rows * width))
    complete = hosts_done == run.cluster.size
    _settle(run, labelling, sparse, int(rows) if complete else None)
    balance = float(counts[0] / max(counts[1], 1)) if len(counts) == 2 and counts[0] else 1.0
    labelling = replace(labelling, class_weights=_class_weights(run, counts, balance))
    scaling = scaling_of(
        sample.slice(0, run.params.num_point_for_scaler), run.params, width, sparse, run.cluster
    )
    row_bytes = int(8 * held / rows) if sparse else 4 * width
    row_bytes += 4 * labelling.outputs * int(run.params.num_models)
    preparation = Preparation(scaling, labelling, run.params.use_bias, sparse, row_bytes)
    return Survey(sample, int(rows), complete, preparation, balance)


def _sample(run: Run[LinearLearnerHyperparameters]) -> tuple[Batch, bool]:
    """The first rows, and whether they are all."""
    params = run.params
    wanted = max(params.num_point_for_scaler, _FEWEST_BATCHES * params.mini_batch_size)
    if "validation" not in run.channels:
        wanted = max(wanted, calibration_rows(params))
    probe = run.train.sample(1)
    if probe.is_sparse:  # one row does not tell how full the others are
        probe = run.train.sample(_FEWEST_SAMPLED)
    if probe.rows:
        fit = _SAMPLE_BYTES * probe.rows // max(probe.nbytes, 1)
        wanted = min(wanted, max(_FEWEST_SAMPLED, fit))
    if wanted < params.num_point_for_scaler:
        run.log(f"the scaler learns from the first {wanted} rows, as many as are kept in memory")
    sample = run.train.sample(wanted + 1)
    return sample.slice(0, min(wanted, sample.rows)), sample.rows <= wanted


def calibration_rows(params: LinearLearnerHyperparameters) -> int:
    """Rows that threshold and criterion are found on, at most."""
    given = params.num_calibration_samples
    return _CALIBRATION_ROWS if given == "auto" else int(given)


def _stays_sparse(params: LinearLearnerHyperparameters, width: int, share: float) -> bool:
    """Whether sparse rows, of whose numbers a share is held, are trained on as such.

    Rows that are fairly full go faster dense, and centering fills them.
    """
    large = 4 * width * params.mini_batch_size > _LARGE_BYTES
    return params.unbias_data is not True and (share < _SPARSE_BELOW or large)


def _settle_width(run: Run[LinearLearnerHyperparameters], sample: Batch) -> None:
    if run.params.feature_dim == "auto":
        widths = run.cluster.gather(np.array([sample.width]))
        run.resolved(feature_dim=int(max(one[0] for one in widths)))


def _settle(
    run: Run[LinearLearnerHyperparameters], labelling: Labelling, sparse: bool, rows: int | None
) -> None:
    params = run.params
    regressor = params.predictor_type == "regressor"
    defaults = {
        "optimizer": "adam",
        "beta_1": 0.9,
        "beta_2": 0.999,
        "momentum": 0.9,
        "bias_lr_mult": 1.0,
        "bias_wd_mult": 0.0,
        "lr_scheduler_factor": 0.99,
        "lr_scheduler_minimum_lr": 1e-5,
        "normalize_data": True,
        "normalize_label": regressor,
        "unbias_data": params.use_bias and not sparse,
        "unbias_label": regressor and params.use_bias,
        "num_calibration_samples": calibration_rows(params),
    }
    auto = {name: value for name, value in defaults.items() if getattr(params, name) == "auto"}
    run.resolved(**auto, **_sizes(run, labelling, rows))


def _sizes(
    run: Run[LinearLearnerHyperparameters], labelling: Labelling, rows: int | None
) -> dict[str, int]:
    params = run.params
    sizes = {}
    if labelling.predictor_type == "multiclass_classifier":
        sizes["num_classes"] = labelling.outputs
    if params.num_models == "auto" or params.tuned:
        fit = _MOST_WEIGHTS // (labelling.outputs * int(params.feature_dim))
        sizes["num_models"] = 1 if params.tuned else max(1, min(_MODELS, fit))
    default = params.declared()["mini_batch_size"].default
    if rows is not None and params.mini_batch_size == default:
        smaller = max(_SMALLEST_BATCH, -(-rows // _FEWEST_BATCHES))
        sizes["mini_batch_size"] = min(default, smaller)
    return sizes


def _class_weights(
    run: Run[LinearLearnerHyperparameters], counts: np.ndarray, balance: float
) -> np.ndarray | None:
    """What each class weighs in the loss, and None where all weigh 1."""
    params = run.params
    if params.predictor_type == "binary_classifier":
        if params.positive_example_weight_mult == "balanced":
            run.resolved(positive_example_weight_mult=balance)
        given = run.params.positive_example_weight_mult
        if given not in {"auto", 1.0}:
            return np.array([1, given], dtype=np.float32)
    if params.predictor_type == "multiclass_classifier" and params.balance_multiclass_weights:
        # A class that the sample lacks counts as if it had one row
        seen = np.maximum(counts, 1)
        return np.asarray(seen.sum() / (len(seen) * seen), dtype=np.float32)
    return None


def _held(sample: Batch) -> int:
    """Numbers that the features hold."""
    features = sample.features
    return int(features.size if isinstance(features, np.ndarray) else features.nnz)


def _first_if_auto(params: LinearLearnerHyperparameters) -> str:
    return LOSSES[params.predictor_type][0] if params.loss == "auto" else params.loss
