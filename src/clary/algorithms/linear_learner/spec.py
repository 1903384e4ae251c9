"""The declaration of the linear learner."""

from __future__ import annotations

from typing import ClassVar, Literal

from clary.errors import Fault
from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import (
    Auto,
    Hyperparameters,
    Rule,
    boolean,
    choice,
    integer,
    number,
)
from clary.spec.metrics import PROGRESS, THROUGHPUT, Goal, Metric, quality
from clary.spec.outputs import BEYOND, Inference, Output

Predictor = Literal["binary_classifier", "multiclass_classifier", "regressor", "multilabel_classifier"]
Criterion = Literal["accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function", "f1", "cross_entropy_loss"]
Optimizer = Literal["auto", "adam", "sgd", "rmsprop", "adagrad"]
LossName = Literal["auto", "logistic", "hinge_loss", "squared_loss", "absolute_loss", "eps_insensitive_squared_loss", "eps_insensitive_absolute_loss", "quantile_loss", "huber_loss", "softmax_loss"]

# The first is what `auto` means.
LOSSES: dict[str, tuple[LossName, ...]] = {
    "binary_classifier": ("logistic", "hinge_loss"),
    "multiclass_classifier": ("softmax_loss",),
    "regressor": ("squared_loss", "absolute_loss", "eps_insensitive_squared_loss", "eps_insensitive_absolute_loss", "quantile_loss", "huber_loss"),
    "multilabel_classifier": ("logistic",),
}

_BINARY = "predictor_type is binary_classifier"
_MULTICLASS = "predictor_type is multiclass_classifier"
_REGRESSOR = "predictor_type is regressor"
_MULTILABEL = "predictor_type is multilabel_classifier"
_SCHEDULED = "use_lr_scheduler is true"


def _loss_fits(predictor_type: str, loss: str) -> Fault | None:
    allowed = LOSSES[predictor_type]
    if loss == "auto" or loss in allowed:
        return None
    return Fault("loss", f"a {predictor_type} takes auto, {', '.join(allowed)}", loss)


class LinearLearnerHyperparameters(Hyperparameters):
    """Hyperparameters of the linear learner."""

    num_classes: int | None = integer("Number of classes; labels are 0 to num_classes - 1.", required="when predictor_type is multiclass_classifier", inferred=True, min=3, max=1_000_000, when=_MULTICLASS)
    predictor_type: Predictor = choice("Kind of target.", "binary_classifier", "multiclass_classifier", "regressor", "multilabel_classifier", required=True)
    accuracy_top_k: int = integer("k of the top-k accuracy.", default=3, min=1, when=_MULTICLASS)
    balance_multiclass_weights: bool = boolean("Weigh classes in the loss by the inverse of their frequency in a sample of train.", default=False, when=_MULTICLASS)
    beta_1: float | Auto = number("Decay rate of Adam's first moment.", auto=True, min=0, max=1, exclusive_max=True, when="optimizer is adam")
    beta_2: float | Auto = number("Decay rate of Adam's second moment.", auto=True, min=0, max=1, exclusive_max=True, when="optimizer is adam")
    bias_lr_mult: float | Auto = number("The bias learns at learning_rate times this.", auto=True, min=0, exclusive_min=True)
    bias_wd_mult: float | Auto = number("The bias has the L2 weight wd times this; auto is 0.", auto=True, min=0)
    binary_classifier_model_selection_criteria: Criterion = choice("Score on validation (without it, a sample of train) that picks model and threshold. f1 is f_beta with beta 1; cross_entropy_loss is loss_function.", "accuracy", "f_beta", "precision_at_target_recall", "recall_at_target_precision", "loss_function", "f1", "cross_entropy_loss", default="accuracy", when=_BINARY)
    early_stopping_patience: int = integer("Epochs without improvement that end the training; above epochs it never ends early.", default=3, min=1)
    early_stopping_tolerance: float = number("Improvement of the loss, relative to the best so far, below which there is none.", default=0.001, min=0, exclusive_min=True)
    epochs: int = integer("Most passes over train.", default=15, min=1)
    f_beta: float = number("Beta of the F scores and of the criterion f_beta.", default=1.0, min=0, exclusive_min=True, when="predictor_type is a classifier")
    feature_dim: int | Auto = integer("Number of input features; auto reads it from the data.", auto=True, min=1)
    huber_delta: float = number("Error, in the label's unit, where Huber loss turns from square to linear.", default=1.0, min=0, exclusive_min=True, when="loss is huber_loss")
    init_bias: float = number("The bias at the start.", default=0)
    init_method: Literal["uniform", "normal"] = choice("Distribution of the weights at the start.", "uniform", "normal", default="uniform")
    init_scale: float = number("Weights start between minus this and this.", default=0.07, min=0, exclusive_min=True, when="init_method is uniform")
    init_sigma: float = number("Standard deviation of the weights at the start.", default=0.01, min=0, exclusive_min=True, when="init_method is normal")
    l1: float | Auto = number("Weight of the L1 penalty; 0 turns it off.", auto=True, min=0)
    learning_rate: float | Auto = number("Step size of the optimizer at the start; auto depends on the optimizer.", auto=True, min=0, exclusive_min=True)
    loss: LossName = choice("What training minimizes; auto is logistic, softmax_loss or squared_loss.", "auto", "logistic", "hinge_loss", "squared_loss", "absolute_loss", "eps_insensitive_squared_loss", "eps_insensitive_absolute_loss", "quantile_loss", "huber_loss", "softmax_loss", default="auto")
    loss_insensitivity: float = number("Errors up to this, in the label's unit, count as none.", default=0.01, min=0, exclusive_min=True, when="loss is an eps_insensitive one")
    lr_scheduler_factor: float | Auto = number("The learning rate is multiplied by this every lr_scheduler_step steps.", auto=True, min=0, max=1, exclusive_min=True, exclusive_max=True, when=_SCHEDULED)
    lr_scheduler_minimum_lr: float | Auto = number("The learning rate never falls below this.", auto=True, min=0, exclusive_min=True, when=_SCHEDULED)
    lr_scheduler_step: int | Auto = integer("Mini-batches between two decreases of the learning rate.", auto=True, min=1, when=_SCHEDULED)
    margin: float = number("Margin of the hinge loss.", default=1.0, min=0, exclusive_min=True, when="loss is hinge_loss")
    mini_batch_size: int = integer("Rows in a mini-batch, of all hosts together. The default is lowered on small data.", default=1000, min=1)
    momentum: float | Auto = number("Momentum of SGD.", auto=True, min=0, max=1, exclusive_max=True, when="optimizer is sgd")
    normalize_data: bool | Auto = boolean("Scale features to unit deviation before training.", default=True, words=("auto",))
    normalize_label: bool | Auto = boolean("Scale the label to unit deviation; auto does for regressors.", auto=True, when=_REGRESSOR)
    num_calibration_samples: int | Auto = integer("Rows that threshold and criterion are found on.", auto=True, min=1)
    num_models: int | Auto = integer("Models trained side by side; 1 inside a tuning job.", auto=True, min=1)
    num_point_for_scaler: int = integer("Rows read first to learn mean and deviation.", default=10_000, min=1)
    optimizer: Optimizer = choice("How weights are updated; auto is adam.", "auto", "adam", "sgd", "rmsprop", "adagrad", default="auto")
    positive_example_weight_mult: float | Auto | Literal["balanced"] = number("Weight of label 1, where label 0 weighs 1; balanced gives both the same total, auto tries several.", default=1.0, min=0, exclusive_min=True, words=("balanced", "auto"), when=_BINARY)
    quantile: float = number("Quantile to predict: the label lies below the prediction with this probability.", default=0.5, min=0, max=1, exclusive_min=True, exclusive_max=True, when="loss is quantile_loss")
    target_precision: float = number("Precision to hold while recall is maximized.", default=0.8, min=0, max=1, exclusive_min=True, exclusive_max=True, when="binary_classifier_model_selection_criteria is recall_at_target_precision")
    target_recall: float = number("Recall to hold while precision is maximized.", default=0.8, min=0, max=1, exclusive_min=True, exclusive_max=True, when="binary_classifier_model_selection_criteria is precision_at_target_recall")
    unbias_data: bool | Auto = boolean("Center features before training; auto does where use_bias is true and rows are not sparse; true makes sparse rows dense.", auto=True)
    unbias_label: bool | Auto = boolean("Center the label; auto does for regressors with use_bias.", auto=True, when=_REGRESSOR)
    use_bias: bool = boolean("Learn a bias.", default=True)
    use_lr_scheduler: bool = boolean("Let the learning rate fall.", default=True)
    wd: float | Auto = number("Weight of the L2 penalty (weight decay); 0 turns it off.", auto=True, min=0)

    ignored: ClassVar[frozenset[str]] = frozenset({"force_dense"})
    rules: ClassVar[tuple[Rule, ...]] = (Rule(("predictor_type", "loss"), _loss_fits),)


# name, goal, what stands in the log line, when, about
_SCORES: tuple[tuple[str, Goal, str, str, str], ...] = (
    ("absolute_loss", "Minimize", "absolute_loss <loss>", _REGRESSOR, "Mean absolute error."),
    ("binary_classification_accuracy", "Maximize", "binary_classification_accuracy <score>", _BINARY, "Accuracy."),
    ("binary_f_beta", "Maximize", "binary_f_{beta} <score>", _BINARY, "F-beta score."),
    ("dcg", "Maximize", "dcg <score>", _MULTICLASS, "Discounted cumulative gain of the right class."),
    ("macro_f_beta", "Maximize", "macro_f_{beta} <score>", f"{_MULTICLASS} or multilabel_classifier", "Mean F-beta score of the classes."),
    ("macro_precision", "Maximize", "macro_precision <score>", f"{_MULTICLASS} or multilabel_classifier", "Mean precision of the classes."),
    ("macro_recall", "Maximize", "macro_recall <score>", f"{_MULTICLASS} or multilabel_classifier", "Mean recall of the classes."),
    ("mse", "Minimize", "mse <loss>", _REGRESSOR, "Mean squared error."),
    ("multiclass_accuracy", "Maximize", "multiclass_accuracy <score>", _MULTICLASS, "Accuracy."),
    ("multiclass_top_k_accuracy", "Maximize", "multiclass_top_k_accuracy_{k} <score>", _MULTICLASS, "Share of rows whose class is among the k of the highest scores."),
    ("precision", "Maximize", "precision <score>", _BINARY, "Precision."),
    ("recall", "Maximize", "recall <score>", _BINARY, "Recall."),
    ("rmse", "Minimize", "rmse <loss>", _REGRESSOR, "Root of the mean squared error."),
    ("roc_auc_score", "Maximize", "roc_auc_score <score>", _BINARY, "Area under the ROC curve."),
    ("multilabel_accuracy", "Maximize", "multilabel_accuracy <score>", _MULTILABEL, "Share of single labels that are right."),
)


def _scores(channel: str, about: str) -> tuple[Metric, ...]:
    """The scores of the final model; SageMaker documents neither those of train nor Clary's own."""
    own = {"multilabel_accuracy", *(["rmse"] if channel == "test" else [])}
    return tuple(
        quality(f"{channel}:{name}", goal, f"{channel} {text}", f"{said} {about}", when=when, documented=channel != "train" and name not in own)
        for name, goal, text, when, said in _SCORES
    )


_TRAIN = "Final model on a sample of train; only without validation."

ALGORITHM = Algorithm(
    name="linear-learner",
    title="Linear Learner",
    summary="Linear models for classification and regression, many trained side by side and the best one kept.",
    learning="supervised",
    problem_types=("binary_classification", "multiclass_classification", "regression"),
    images=("linear-learner",),
    multi_model=True,
    hyperparameters=LinearLearnerHyperparameters,
    channels=(
        ChannelSpec("train", "Labelled rows to learn from, in shuffled order.", required=True, beyond=BEYOND),
        ChannelSpec("validation", "Labelled rows that pick epoch, model and threshold.", distribution=("FullyReplicated",), beyond=BEYOND),
        ChannelSpec("test", "Labelled rows scored by the final model.", beyond=BEYOND),
    ),
    metrics=(
        *_scores("test", "Final model on test."),
        quality("test:objective_loss", "Minimize", "test {objective}_objective <loss>", "Mean training loss of the final model on test."),
        *_scores("validation", "Final model on validation."),
        quality("validation:objective_loss", "Minimize", "epoch={epoch}, validation {objective}_objective <loss>", "Mean training loss of the first model on validation, epoch by epoch."),
        quality("validation:objective_loss:final", "Minimize", "validation {objective}_objective <loss>", "Mean training loss of the final model on validation.", documented=False),
        *_scores("train", _TRAIN),
        quality("train:objective_loss", "Minimize", "epoch={epoch}, train {objective}_objective <loss>", "Mean loss of the first model while it trains, epoch by epoch.", documented=False),
        quality("train:objective_loss:final", "Minimize", "train {objective}_objective <loss>", f"Mean training loss. {_TRAIN}", documented=False),
        PROGRESS,
        THROUGHPUT,
    ),
    tuning=(
        TuningRange("wd", "Continuous", 1e-7, 1),
        TuningRange("l1", "Continuous", 1e-7, 1),
        TuningRange("learning_rate", "Continuous", 1e-5, 1),
        TuningRange("mini_batch_size", "Integer", 100, 5000),
        TuningRange("use_bias", "Categorical", values=("True", "False"), scaling=None),
        TuningRange("positive_example_weight_mult", "Continuous", 1e-5, 1e5),
    ),
    inference=Inference(
        outputs=(
            Output("score", "The prediction; for classifiers the probability of label 1 or of each class (with hinge_loss, the distance to the boundary).", vector="num_classes for multiclass_classifier, the number of labels for multilabel_classifier"),
            Output("predicted_label", "The predicted class; 0 or 1 for each label of a multilabel_classifier.", kind="integer", vector="the number of labels for multilabel_classifier", when="predictor_type is a classifier"),
        ),
    ),
    examples=(
        Example({"predictor_type": "binary_classifier", "epochs": 5}, "binary"),
        Example({"predictor_type": "multiclass_classifier", "num_classes": 3, "epochs": 5}, "multiclass"),
        Example({"predictor_type": "regressor", "epochs": 5}, "number"),
        Example({"predictor_type": "multilabel_classifier", "epochs": 5}, "multilabel"),
    ),
    hardware=Hardware(train_gpu=True, multi_gpu=True, inference_gpu=True),
    incremental=True,
    hosts_tolerance=0.02,
    fit="clary.algorithms.linear_learner.fit:fit",
    model="clary.algorithms.linear_learner.model:LinearLearnerModel",
)
