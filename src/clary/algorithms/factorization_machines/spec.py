"""The declaration of factorization machines."""

from __future__ import annotations

from functools import partial
from typing import ClassVar, Literal

from clary.errors import Fault
from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import Hyperparameters, Rule, boolean, choice, integer, number
from clary.spec.metrics import PROGRESS, THROUGHPUT, Goal, Metric, quality
from clary.spec.outputs import BEYOND, CSV, JSON, JSONLINES, RECORDIO, Inference, Output

Start = Literal["uniform", "normal", "constant"]

GROUPS = ("bias", "linear", "factors")
# What each way of beginning needs to be told, by method
NEEDED = {"uniform": "scale", "normal": "sigma", "constant": "value"}

_BINARY = "predictor_type is binary_classifier"
_REGRESSOR = "predictor_type is regressor"


def _told(group: str, method: str, scale: float | None, value: float | None) -> Fault | None:
    name = f"{group}_init_{NEEDED[method]}"
    if {"uniform": scale, "normal": 0.0, "constant": value}[method] is not None:
        return None
    return Fault(name, f"must be given when {group}_init_method is {method}")


def _above_0(eps: float | None) -> Fault | None:
    return Fault("eps", "must be above 0", eps) if eps is not None and eps <= 0 else None


class FactorizationMachinesHyperparameters(Hyperparameters):
    """Hyperparameters of factorization machines."""

    feature_dim: int | None = integer("Number of input features.", required=True, inferred=True, min=1)
    num_factors: int = integer("Length of each feature's factor vector; 64 is a good start.", required=True, min=1)
    predictor_type: Literal["binary_classifier", "regressor"] = choice("Kind of target.", "binary_classifier", "regressor", required=True)
    bias_init_method: Start = choice("How the bias begins: drawn evenly up to the scale, drawn normally, or at the value.", "uniform", "normal", "constant", default="normal")
    bias_init_scale: float | None = number("The bias begins between minus this and this.", min=0, when="bias_init_method is uniform")
    bias_init_sigma: float = number("Standard deviation of the bias at the start.", default=0.01, min=0, when="bias_init_method is normal")
    bias_init_value: float | None = number("The bias at the start.", when="bias_init_method is constant")
    bias_lr: float = number("Learning rate of the bias.", default=0.1, min=0)
    bias_wd: float = number("Weight decay of the bias.", default=0.01, min=0)
    clip_gradient: float | None = number("Gradients are cut to between minus this and this; not at all when left out or negative.")
    epochs: int = integer("Passes over train.", default=1, min=1)
    eps: float | None = number("Added to what Adam divides by; 1e-8 when left out.")
    factors_init_method: Start = choice("How the factors begin.", "uniform", "normal", "constant", default="normal")
    factors_init_scale: float | None = number("Factors begin between minus this and this.", min=0, when="factors_init_method is uniform")
    factors_init_sigma: float = number("Standard deviation of the factors at the start.", default=0.001, min=0, when="factors_init_method is normal")
    factors_init_value: float | None = number("Every factor at the start; from 0 they cannot move.", when="factors_init_method is constant")
    factors_lr: float = number("Learning rate of the factors.", default=0.0001, min=0)
    factors_wd: float = number("Weight decay of the factors.", default=0.00001, min=0)
    linear_lr: float = number("Learning rate of the linear weights.", default=0.001, min=0)
    linear_init_method: Start = choice("How the linear weights begin.", "uniform", "normal", "constant", default="normal")
    linear_init_scale: float | None = number("Linear weights begin between minus this and this.", min=0, when="linear_init_method is uniform")
    linear_init_sigma: float = number("Standard deviation of the linear weights at the start.", default=0.01, min=0, when="linear_init_method is normal")
    linear_init_value: float | None = number("Every linear weight at the start.", when="linear_init_method is constant")
    linear_wd: float = number("Weight decay of the linear weights.", default=0.001, min=0)
    mini_batch_size: int = integer("Rows in a mini-batch, of all hosts together.", default=1000, min=1)
    rescale_grad: float | None = number("The sum of a mini-batch's gradients is multiplied by this; when left out, by 1 / rows of a full mini-batch.")
    use_bias: bool = boolean("Learn a bias. Not on SageMaker's page.", default=True)
    use_linear: bool = boolean("Learn linear weights. Not on SageMaker's page.", default=True)
    batch_metrics_publish_interval: int = integer("Mini-batches between two reports of the batch metrics. Not on SageMaker's page.", default=500, min=1)
    internal_optimizer: Literal["adam"] = choice("How parameters are updated: there is Adam alone. Not on SageMaker's page.", "adam", default="adam")
    internal_learning_rate: float = number("Multiplies the three learning rates. Not on SageMaker's page.", default=1.0, min=0)
    internal_wd: float = number("Multiplies the three weight decays. Not on SageMaker's page.", default=1.0, min=0)

    ignored: ClassVar[frozenset[str]] = frozenset({"_data_format", "_use_full_symbolic"})
    rules: ClassVar[tuple[Rule, ...]] = (
        *(Rule((f"{group}_init_method", f"{group}_init_scale", f"{group}_init_value"), partial(_told, group)) for group in GROUPS),
        Rule(("eps",), _above_0),
    )


# name, goal, what stands in the log line, when, about; those of regressors that SageMaker's page lacks
_SCORES: tuple[tuple[str, Goal, str, str, str], ...] = (
    ("rmse", "Minimize", "rmse <loss>", _REGRESSOR, "Root of the mean squared error"),
    ("mse", "Minimize", "mse <loss>", _REGRESSOR, "Mean squared error"),
    ("absolute_loss", "Minimize", "absolute_loss <loss>", _REGRESSOR, "Mean absolute error"),
    ("binary_classification_accuracy", "Maximize", "binary_classification_accuracy <score>", _BINARY, "Share of rows labelled rightly, from a score of 0.5 on as 1"),
    ("binary_classification_cross_entropy", "Minimize", "binary_classification_cross_entropy <loss>", _BINARY, "Log loss"),
    ("binary_f_beta", "Maximize", "binary_f_1.000 <score>", _BINARY, "F1 score"),
)


def _scores(channel: str, prefix: str, suffix: str, about: str) -> tuple[Metric, ...]:
    own = {"mse", "absolute_loss"}
    return tuple(
        quality(f"{channel}:{name}{suffix}", goal, f"{prefix}{channel} {text}", f"{said} {about}.", when=when, documented=channel == "test" and name not in own)
        for name, goal, text, when, said in _SCORES
    )


ALGORITHM = Algorithm(
    name="factorization-machines",
    title="Factorization Machines",
    summary="Classification and regression on sparse rows by the pairs of features that occur together.",
    learning="supervised",
    problem_types=("binary_classification", "regression"),
    images=("factorization-machines",),
    hyperparameters=FactorizationMachinesHyperparameters,
    channels=(
        ChannelSpec("train", "Labelled rows to learn from.", required=True, content_types=(RECORDIO,), beyond=(CSV, *BEYOND)),
        ChannelSpec("test", "Labelled rows scored by the final model.", content_types=(RECORDIO,), beyond=(CSV, *BEYOND)),
    ),
    metrics=(
        *_scores("test", "", "", "on test"),
        *_scores("train", "", "", "in the last epoch, of rows before they are learned from"),
        *_scores("train", "epoch={epoch}, ", ":epoch", "in an epoch, of rows before they are learned from"),
        *_scores("train", "epoch={epoch}, batch={batch} ", ":batch", "in a mini-batch, before it is learned from"),
        PROGRESS,
        THROUGHPUT,
    ),
    tuning=(
        *(TuningRange(f"bias_{name}", "Continuous", 1e-8, 512) for name in ("init_scale", "init_sigma", "init_value", "lr", "wd")),
        TuningRange("epochs", "Integer", 1, 1000),
        *(TuningRange(f"{group}_{name}", "Continuous", 1e-8, 512) for group in ("factors", "linear") for name in ("init_scale", "init_sigma", "init_value", "lr", "wd")),
        TuningRange("mini_batch_size", "Integer", 100, 10000),
    ),
    inference=Inference(
        outputs=(
            Output("score", "The prediction; for classifiers the probability of label 1."),
            Output("predicted_label", "1 from a score of 0.5 on, else 0.", kind="integer", when=_BINARY),
        ),
        accepts=(JSON, RECORDIO, JSONLINES),
    ),
    # Mini-batches of all rows, which two hosts have as one has them
    examples=(
        Example({"predictor_type": "binary_classifier", "num_factors": 2, "epochs": 30, "mini_batch_size": 240, "linear_lr": 0.01, "factors_lr": 0.001}, "binary"),
        Example({"predictor_type": "regressor", "num_factors": 2, "epochs": 10, "mini_batch_size": 20, "linear_lr": 0.1}, "number"),
    ),
    hardware=Hardware(train_gpu=True, multi_gpu=True, inference_gpu=True),
    hosts_tolerance=0.01,
    fit="clary.algorithms.factorization_machines.fit:fit",
    model="clary.algorithms.factorization_machines.model:FactorizationMachinesModel",
)
