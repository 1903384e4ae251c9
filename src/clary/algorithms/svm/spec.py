"""The declaration of support vector machines. SageMaker has none; names are scikit-learn's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from clary.errors import Fault
from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.hyperparameters import (
    Auto,
    Hyperparameters,
    Rule,
    boolean,
    choice,
    integer,
    number,
    number_map,
)
from clary.spec.metrics import PROGRESS, Goal, Metric, quality
from clary.spec.outputs import BEYOND, CSV, JSON, JSONLINES, RECORDIO, Inference, Output

Predictor = Literal["binary_classifier", "multiclass_classifier", "regressor"]
KernelName = Literal["linear", "rbf", "poly", "sigmoid"]
Approximation = Literal["auto", "none", "nystroem", "random_features"]
LossName = Literal["auto", "hinge", "squared_hinge", "epsilon_insensitive", "squared_epsilon_insensitive"]

# The first is what `auto` means
CLASSIFIER_LOSSES: tuple[LossName, ...] = ("squared_hinge", "hinge")
REGRESSOR_LOSSES: tuple[LossName, ...] = ("epsilon_insensitive", "squared_epsilon_insensitive")

_BINARY = "predictor_type is binary_classifier"
_MULTICLASS = "predictor_type is multiclass_classifier"
_REGRESSOR = "predictor_type is regressor"
_CLASSIFIER = "predictor_type is a classifier"
_LINEAR = "kernel is linear"
_CURVED = "kernel is not linear"


def losses_of(predictor_type: str) -> tuple[LossName, ...]:
    """The losses of linear machines for a kind of target; the first is the usual one."""
    return REGRESSOR_LOSSES if predictor_type == "regressor" else CLASSIFIER_LOSSES


def _loss_fits(predictor_type: str, kernel: str, loss: str) -> Fault | None:
    allowed = losses_of(predictor_type)
    if loss == "auto":
        return None
    if kernel != "linear":
        return Fault("loss", "belongs to kernel linear; leave it out", loss)
    if loss in allowed:
        return None
    return Fault("loss", f"a {predictor_type} takes auto, {', '.join(allowed)}", loss)


def _penalty_fits(predictor_type: str, kernel: str, loss: str, penalty: str) -> Fault | None:
    if penalty == "l2":
        return None
    if kernel != "linear" or predictor_type == "regressor" or loss == "hinge":
        return Fault("penalty", "l1 needs a linear classifier with loss squared_hinge", penalty)
    return None


def _approximation_fits(kernel: str, approximation: str) -> Fault | None:
    if approximation == "random_features" and kernel != "rbf":
        return Fault("kernel_approximation", "random_features suit kernel rbf only", kernel, "nystroem suits every kernel.")
    if approximation == "nystroem" and kernel == "linear":
        return Fault("kernel_approximation", "kernel linear has nothing to approximate", approximation)
    return None


def _class_weights_fit(predictor_type: str, weights: Mapping[str, float] | str | None) -> Fault | None:
    if predictor_type == "regressor" and weights is not None:
        return Fault("class_weight", "is for classifiers", weights)
    return None


def _probability_fits(predictor_type: str, probability: bool) -> Fault | None:
    if predictor_type == "regressor" and probability:
        return Fault("probability", "is for classifiers", probability)
    return None


class SVMHyperparameters(Hyperparameters):
    """Hyperparameters of support vector machines."""

    predictor_type: Predictor = choice("Kind of target.", "binary_classifier", "multiclass_classifier", "regressor", required=True)
    feature_dim: int | None = integer("Number of input features.", inferred=True, min=1)
    num_classes: int | None = integer("Number of classes; labels are 0 to num_classes - 1.", inferred=True, min=3, when=_MULTICLASS)
    kernel: KernelName = choice("What likeness of two rows means; linear is the plain product, by liblinear.", "linear", "rbf", "poly", "sigmoid", default="rbf")
    C: float = number("Price of errors: the larger, the closer the model follows train.", default=1.0, min=0, exclusive_min=True)
    gamma: float | Literal["scale", "auto"] = number("How fast likeness fades with distance. scale is 1 / (feature_dim · variance of the features), auto is 1 / feature_dim.", default="scale", words=("scale", "auto"), min=0, exclusive_min=True, when=_CURVED)
    degree: int = integer("Degree of the polynomial.", default=3, min=1, when="kernel is poly")
    coef0: float = number("Constant inside the kernel.", default=0.0, when="kernel is poly or sigmoid")
    epsilon: float = number("Errors up to this, in the label's unit, count as none.", default=0.1, min=0, when=_REGRESSOR)
    class_weight: Mapping[str, float] | Literal["balanced"] | None = number_map('Factors of C by class, as {"0": 1, "1": 5}; classes left out have 1. balanced gives all classes the same total.', words=("balanced",), min=0, exclusive_min=True, when=_CLASSIFIER)
    probability: bool = boolean("Answer probabilities, calibrated by five-fold cross-validation: six trainings in all.", default=False, when=_CLASSIFIER)
    tol: float | Auto = number("Violation of the optimality conditions that ends the training; auto is 0.001, for kernel linear 0.0001.", auto=True, min=0, exclusive_min=True)
    max_iter: int | Auto = integer("Most iterations of the solver; auto is no limit, for kernel linear 1000.", auto=True, min=1)
    normalize_data: bool | Auto = boolean("Bring features to mean 0 and deviation 1; those of sparse rows to a largest value of 1. auto does for dense rows, and for sparse ones that are filled by more than half.", auto=True)
    loss: LossName = choice("What linear machines minimize; auto is squared_hinge, for regressors epsilon_insensitive.", "auto", "hinge", "squared_hinge", "epsilon_insensitive", "squared_epsilon_insensitive", default="auto", when=_LINEAR)
    penalty: Literal["l1", "l2"] = choice("Penalty of the coefficients; l1 sets many to 0.", "l1", "l2", default="l2", when=_LINEAR)
    kernel_approximation: Approximation = choice("Replaces the kernel by num_components features; auto uses nystroem where classes have too many rows for the exact solver.", "auto", "none", "nystroem", "random_features", default="auto", when=_CURVED)
    num_components: int | Auto = integer("Features of the approximation; auto is 1000.", auto=True, min=1, when="the kernel is approximated")

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(("predictor_type", "kernel", "loss"), _loss_fits),
        Rule(("predictor_type", "kernel", "loss", "penalty"), _penalty_fits),
        Rule(("kernel", "kernel_approximation"), _approximation_fits),
        Rule(("predictor_type", "class_weight"), _class_weights_fit),
        Rule(("predictor_type", "probability"), _probability_fits),
    )


# name, goal, what stands in the log line, when, about; names and lines are the linear learner's
_SCORES: tuple[tuple[str, Goal, str, str, str], ...] = (
    ("absolute_loss", "Minimize", "absolute_loss <loss>", _REGRESSOR, "Mean absolute error"),
    ("binary_classification_accuracy", "Maximize", "binary_classification_accuracy <score>", _BINARY, "Accuracy"),
    ("binary_f_beta", "Maximize", "binary_f_{beta} <score>", _BINARY, "F1 score"),
    ("macro_f_beta", "Maximize", "macro_f_{beta} <score>", _MULTICLASS, "Mean F1 score of the classes"),
    ("macro_precision", "Maximize", "macro_precision <score>", _MULTICLASS, "Mean precision of the classes"),
    ("macro_recall", "Maximize", "macro_recall <score>", _MULTICLASS, "Mean recall of the classes"),
    ("mse", "Minimize", "mse <loss>", _REGRESSOR, "Mean squared error"),
    ("multiclass_accuracy", "Maximize", "multiclass_accuracy <score>", _MULTICLASS, "Accuracy"),
    ("precision", "Maximize", "precision <score>", _BINARY, "Precision"),
    ("recall", "Maximize", "recall <score>", _BINARY, "Recall"),
    ("rmse", "Minimize", "rmse <loss>", _REGRESSOR, "Root of the mean squared error"),
    ("roc_auc_score", "Maximize", "roc_auc_score <score>", _BINARY, "Area under the ROC curve"),
)


def _scores(channel: str) -> tuple[Metric, ...]:
    return tuple(
        quality(f"{channel}:{name}", goal, f"{channel} {text}", f"{about} on {channel}.", when=when)
        for name, goal, text, when, about in _SCORES
    )


ALGORITHM = Algorithm(
    name="svm",
    title="Support Vector Machines",
    summary="Draws the border between classes that keeps the greatest distance to both, straight or bent by a kernel.",
    learning="supervised",
    problem_types=("binary_classification", "multiclass_classification", "regression"),
    images=("svm",),
    hyperparameters=SVMHyperparameters,
    channels=(
        ChannelSpec("train", "Labelled rows to learn from; all of them are held in memory.", required=True, beyond=BEYOND),
        ChannelSpec("validation", "Labelled rows scored by the model when it is trained.", distribution=("FullyReplicated",), beyond=BEYOND),
        ChannelSpec("test", "Labelled rows scored by the final model.", beyond=BEYOND),
    ),
    metrics=(*_scores("test"), *_scores("validation"), PROGRESS),
    tuning=(
        TuningRange("C", "Continuous", 0.01, 1000, scaling="Logarithmic"),
        TuningRange("gamma", "Continuous", 0.0001, 10, scaling="Logarithmic"),
        TuningRange("kernel", "Categorical", values=("linear", "rbf"), scaling=None),
        TuningRange("epsilon", "Continuous", 0.001, 1, scaling="Logarithmic"),
    ),
    inference=Inference(
        outputs=(
            Output("score", "The prediction of a regressor. Of a classifier how far the row is on the side of label 1, or of each class; with probability=true their probabilities.", vector="num_classes for multiclass_classifier"),
            Output("predicted_label", "The predicted class.", kind="integer", when=_CLASSIFIER),
        ),
        returns=(JSON, JSONLINES, RECORDIO, CSV),
    ),
    examples=(
        Example({"predictor_type": "binary_classifier"}, "binary"),
        Example({"predictor_type": "multiclass_classifier"}, "multiclass"),
        Example({"predictor_type": "regressor"}, "number"),
        Example({"predictor_type": "multiclass_classifier", "kernel": "linear", "probability": True}, "multiclass"),
        Example({"predictor_type": "binary_classifier", "kernel_approximation": "nystroem", "num_components": 40, "probability": True}, "binary"),
    ),
    # Of hosts that have parts of the rows, the solver sees them in another order
    hosts_tolerance=0.02,
    fit="clary.algorithms.svm.fit:fit",
    model="clary.algorithms.svm.model:SVMModel",
)
