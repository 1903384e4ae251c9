"""The declaration of XGBoost, as of SageMaker's image 3.0-5."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from clary.algorithms.xgboost import objectives
from clary.errors import Fault
from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import (
    Hyperparameters,
    Rule,
    choice,
    free_json,
    integer,
    listing,
    number,
)
from clary.spec.jumpstart import JumpStartModel
from clary.spec.metrics import Goal, Metric
from clary.spec.outputs import CSV, JSON, JSONLINES, LIBSVM, RECORDIO, Inference, Output

Switch = Literal["true", "false"]

# Metrics by name: goal, whether SageMaker's page lists it, what it is.
_METRICS: tuple[tuple[str, Goal, bool, str], ...] = (
    ("accuracy", "Maximize", True, "Share of rows whose predicted class is the label."),
    ("auc", "Maximize", True, "Area under the ROC curve; for binary:* and rank:* objectives."),
    ("aucpr", "Maximize", False, "Area under the precision-recall curve."),
    ("balanced_accuracy", "Maximize", False, "Mean of the classes' recalls."),
    ("f1", "Maximize", True, "F1, macro-averaged: the mean over the classes."),
    ("f1_binary", "Maximize", False, "F1 of class 1 of two."),
    ("f1_macro", "Maximize", False, "The same as f1."),
    ("map", "Maximize", True, "Mean average precision of rankings."),
    ("ndcg", "Maximize", True, "Normalized discounted cumulative gain of rankings."),
    ("precision", "Maximize", False, "Precision of class 1 of two."),
    ("r2", "Maximize", False, "Coefficient of determination."),
    ("recall", "Maximize", False, "Recall of class 1 of two."),
    ("precision_macro", "Maximize", False, "Mean of the classes' precisions."),
    ("precision_micro", "Maximize", False, "Precision over all classes' rows together."),
    ("recall_macro", "Maximize", False, "Mean of the classes' recalls, absent classes counting 0."),
    ("recall_micro", "Maximize", False, "Recall over all classes' rows together."),
    ("aft-nloglik", "Minimize", False, "Negative log-likelihood of the accelerated failure time model."),
    ("cox-nloglik", "Minimize", False, "Negative partial log-likelihood of Cox regression."),
    ("error", "Minimize", True, "Share of rows on the wrong side of 0.5, or of t for error@t."),
    ("gamma-deviance", "Minimize", False, "Deviance of gamma regression."),
    ("gamma-nloglik", "Minimize", False, "Negative log-likelihood of gamma regression."),
    ("interval-regression-accuracy", "Minimize", False, "Share of predictions inside the label's interval. SageMaker declares Minimize although more is better; early stopping maximizes it."),
    ("logloss", "Minimize", True, "Negative log-likelihood of two classes."),
    ("mae", "Minimize", True, "Mean absolute error."),
    ("mape", "Minimize", False, "Mean absolute percentage error."),
    ("merror", "Minimize", True, "Share of rows of several classes whose predicted class is wrong."),
    ("mlogloss", "Minimize", True, "Negative log-likelihood of several classes."),
    ("mphe", "Minimize", False, "Mean pseudo-Huber error."),
    ("mse", "Minimize", True, "Mean squared error."),
    ("poisson-nloglik", "Minimize", False, "Negative log-likelihood of Poisson regression."),
    ("rmse", "Minimize", True, "Root of the mean squared error."),
    ("rmsle", "Minimize", False, "Root of the mean squared error of log(1 + x)."),
    ("tweedie-nloglik", "Minimize", False, "Negative log-likelihood of Tweedie regression."),
)
_NAMES = tuple(name for name, *_ in _METRICS)
# Metrics that count right and wrong classes
CLASS_METRICS = frozenset(name for name in _NAMES if name.startswith(("accuracy", "balanced", "f1", "precision", "recall")))
_TWO_CLASS_METRICS = frozenset({"f1_binary", "precision", "recall"})
_MULTICLASS_METRICS = CLASS_METRICS | {"merror", "mlogloss", "aucpr"}
_OBJECTIVES_OF = {
    "auc": ("binary:", "rank:"),
    "aft-nloglik": ("survival:aft",),
    "interval-regression-accuracy": ("survival:aft",),
    "merror": ("multi:",),
    "mlogloss": ("multi:",),
}


def _fitting_metrics(objective: str, num_class: int | None, eval_metric: tuple[str, ...] | None, tuned: str | None) -> Fault | None:
    """Each metric must be one that the objective's predictions have."""
    for thing, names in (("eval_metric", eval_metric or ()), ("_tuning_objective_metric", (tuned,) if tuned else ())):
        for name in (full.removeprefix("validation:") for full in names):
            if rule := _misfit(objective, num_class, name.partition("@")[0]):
                return Fault(thing, f"{name} {rule}", f"objective {objective}")
    return None


def _misfit(objective: str, num_class: int | None, name: str) -> str:
    starts = _OBJECTIVES_OF.get(name, ("",))
    if not objective.startswith(starts):
        return f"needs an objective {' or '.join(f'{start}*' if start.endswith(':') else start for start in starts)}"
    if name in CLASS_METRICS and not objectives.separates(objective):
        return "needs an objective that tells classes apart (binary:*, multi:* or reg:logistic)"
    if objectives.kind(objective) != "multiclass":
        return ""
    if name not in _MULTICLASS_METRICS:
        return "needs one number a row, and this objective gives one for each class"
    if name in _TWO_CLASS_METRICS and num_class != 2:
        return f"is of class 1 of two; for more classes there is {name.removesuffix('_binary')}_macro"
    return ""


def _objective_is_one(objective: str) -> Fault | None:
    if objective != "aft_loss_distribution":
        return None
    return Fault("objective", "aft_loss_distribution is a hyperparameter of its own", remedy="The objective is survival:aft.")


def _intercept_is_possible(objective: str, base_score: float | None) -> Fault | None:
    if base_score is None or objective not in objectives.LOGISTIC or 0 < base_score < 1:
        return None
    return Fault("base_score", f"must be above 0 and below 1 for {objective}", base_score)


def _updaters_agree(updater: tuple[str, ...] | None, booster: str, process_type: str) -> Fault | None:
    if not updater:
        return None
    named = ",".join(updater)
    if booster == "gblinear":
        if len(updater) == 1 and updater[0] in {"shotgun", "coord_descent"}:
            return None
        return Fault("updater", "must be shotgun or coord_descent, one of them, with booster gblinear", named)
    if {"shotgun", "coord_descent"} & set(updater):
        return Fault("updater", "shotgun and coord_descent need booster gblinear", named)
    if process_type == "update":
        if set(updater) <= {"refresh", "prune"}:
            return None
        return Fault("updater", "may only be refresh and prune with process_type update", named)
    growers = [name for name in updater if name in {"grow_colmaker", "distcol", "grow_histmaker"}]
    if len(growers) > 1:
        return Fault("updater", "at most one of grow_colmaker, distcol and grow_histmaker", named)
    return None


def _updaters_exist(updater: tuple[str, ...] | None) -> Fault | None:
    gone = [name for name in updater or () if name in {"distcol", "grow_skmaker"}]
    if not gone:
        return None
    return Fault("updater", f"{gone[0]} is gone from today's engine", ",".join(updater or ()), "Leave updater out and set tree_method to approx or hist.")


def _methods_allow(tree_method: str, monotone: Any, interaction: Any, dask: str) -> Fault | None:
    for name, given, methods in (
        ("monotone_constraints", monotone, ("exact", "hist")),
        ("interaction_constraints", interaction, ("exact", "hist", "approx")),
        ("use_dask_gpu_training", dask == "true", ("gpu_hist", "hist")),
    ):
        if given and tree_method not in methods:
            return Fault(name, f"needs tree_method to be set to {' or '.join(methods)}", f"tree_method {tree_method}")
    return None


def _interactions_are_features(interaction: Any) -> Fault | None:
    groups = interaction or ()
    if all(isinstance(group, tuple) and all(type(one) is int and one >= 0 for one in group) for group in groups):
        return None
    return Fault("interaction_constraints", "must be lists of feature numbers, counted from 0", interaction)


def _rows_are_split(dsplit: str | None) -> Fault | None:
    if dsplit != "col":
        return None
    return Fault("dsplit", "data is split over hosts by rows only", dsplit, "Leave it out.")


class XGBoostHyperparameters(Hyperparameters):
    """Hyperparameters of XGBoost. Those that are left out are the engine's to choose."""

    num_class: int | None = integer("Number of classes; labels are 0 to num_class - 1.", required="when objective is multi:softmax or multi:softprob", inferred=True, min=2)
    num_round: int = integer("Number of boosting rounds.", required=True, min=1)
    alpha: float = number("L1 penalty on leaf weights.", default=0, min=0, aliases=("reg_alpha",))
    base_score: float | None = number("Prediction that all rows start from. Left out, it is estimated from the labels.", default=0.5, left_to_engine=True, min=0)
    booster: Literal["gbtree", "gblinear", "dart"] = choice("Trees, a linear model, or trees with dropout.", "gbtree", "gblinear", "dart", default="gbtree")
    colsample_bylevel: float = number("Share of columns drawn for each depth level.", default=1, min=0, max=1, exclusive_min=True)
    colsample_bynode: float = number("Share of columns drawn for each split.", default=1, min=0, max=1, exclusive_min=True)
    colsample_bytree: float = number("Share of columns drawn for each tree.", default=1, min=0, max=1, exclusive_min=True)
    csv_weights: int = integer("1: the second column of CSV rows is the row's weight.", default=0, min=0, max=1, when="the data are CSV")
    deterministic_histogram: Switch = choice("Build GPU histograms deterministically. Today's engine always does.", "true", "false", default="true", when="tree_method is gpu_hist", versions="1.2-1 and later")
    early_stopping_rounds: int | None = integer("Stop when the last metric of eval_metric has not improved on validation for so many rounds, and keep the best model.", min=1, when="there is a validation channel")
    eta: float | None = number("Shrinkage of each tree.", default=0.3, left_to_engine=True, min=0, max=1, aliases=("learning_rate",))
    eval_metric: tuple[str, ...] | None = listing("Metrics of each round, joined by commas; error@t, ndcg@n and map@n too. Left out, the objective's own.", *_NAMES, pattern=r"error@[0-9]*\.?[0-9]+|(ndcg|map)@[0-9]+-?")
    gamma: float = number("Least loss reduction that a split must bring.", default=0, min=0, aliases=("min_split_loss",))
    grow_policy: Literal["depthwise", "lossguide"] = choice("Where new nodes are added.", "depthwise", "lossguide", default="depthwise", when="tree_method is hist or approx")
    interaction_constraints: tuple[Any, ...] | None = free_json("Lists of features (from 0) that may interact, as in [[0,2],[3,4]].", when="tree_method is set to exact, hist or approx")
    lambda_: float | None = number("L2 penalty on leaf weights.", default=1, left_to_engine=True, min=0, aliases=("reg_lambda",))
    lambda_bias: float = number("L2 penalty on the bias. Today's engine has none.", default=0, min=0, max=1, when="booster is gblinear")
    max_bin: int = integer("Most histogram bins of a feature; the engine wants at least 2.", default=256, min=0, when="tree_method is hist or approx")
    max_delta_step: float = number("Most that a leaf's weight may be; 0 means no limit. 1 to 10 helps unbalanced logistic regression.", default=0, min=0)
    max_depth: int = integer("Greatest depth of a tree; 0 means no limit.", default=6, min=0)
    max_leaves: int = integer("Most leaves of a tree; 0 means no limit.", default=0, min=0, when="grow_policy is lossguide")
    min_child_weight: float = number("Least sum of hessians in a child.", default=1, min=0)
    monotone_constraints: tuple[int, ...] | None = listing("For each feature -1 (falling), 0 (free) or 1 (rising), as in (0, 1).", -1, 0, 1, default="(0, 0)", left_to_engine=True, when="tree_method is set to exact or hist")
    normalize_type: Literal["tree", "forest"] = choice("Weight of a new tree relative to the dropped ones.", "tree", "forest", default="tree", when="booster is dart")
    nthread: int | None = integer("Number of threads; all processors when left out.", min=1)
    objective: str = choice("What is learnt.", "aft_loss_distribution", "binary:logistic", "binary:logitraw", "binary:hinge", "count:poisson", "multi:softmax", "multi:softprob", "rank:pairwise", "rank:ndcg", "rank:map", "reg:linear", "reg:squarederror", "reg:logistic", "reg:gamma", "reg:pseudohubererror", "reg:squaredlogerror", "reg:absoluteerror", "reg:tweedie", "survival:aft", "survival:cox", default="reg:squarederror")
    one_drop: int = integer("1: always drop a tree.", default=0, min=0, max=1, when="booster is dart")
    process_type: Literal["default", "update"] = choice("Grow new trees, or update those of the model channel.", "default", "update", default="default")
    rate_drop: float = number("Share of earlier trees dropped in a round.", default=0.0, min=0, max=1, when="booster is dart")
    refresh_leaf: int = integer("0: refresh the nodes' statistics only, not the leaves.", default=1, min=0, max=1, when="updater holds refresh")
    sample_type: Literal["uniform", "weighted"] = choice("How dropped trees are drawn.", "uniform", "weighted", default="uniform", when="booster is dart")
    scale_pos_weight: float = number("Factor on the weights of positive rows.", default=1, min=0, exclusive_min=True)
    seed: int = integer("Random seed.", default=0, min=-2147483648, max=2147483647, exclusive_min=True, exclusive_max=True)
    single_precision_histogram: Switch = choice("Histograms in single precision. Today's engine has double precision only.", "true", "false", default="false", when="tree_method is hist or gpu_hist", versions="1.2-1 to 1.5-1")
    sketch_eps: float | None = number("Accuracy of the quantile sketch. Today's engine takes max_bin instead: 1 / sketch_eps bins.", default=0.03, left_to_engine=True, min=0, max=1, exclusive_min=True, exclusive_max=True, when="tree_method is approx")
    skip_drop: float = number("Probability of a round without dropout.", default=0.0, min=0, max=1, when="booster is dart")
    subsample: float = number("Share of rows drawn for each tree.", default=1, min=0, max=1, exclusive_min=True)
    tree_method: Literal["auto", "exact", "approx", "hist", "gpu_hist"] = choice("How trees are built; auto is hist, and gpu_hist is hist on a GPU.", "auto", "exact", "approx", "hist", "gpu_hist", default="auto")
    tweedie_variance_power: float = number("Power of the variance of the Tweedie distribution.", default=1.5, min=1, max=2, exclusive_min=True, exclusive_max=True, when="objective is reg:tweedie")
    updater: tuple[str, ...] | None = listing("Tree updaters, joined by commas. Left out, tree_method decides.", "grow_colmaker", "distcol", "grow_histmaker", "grow_skmaker", "sync", "refresh", "prune", "shotgun", "coord_descent", default="grow_colmaker,prune", left_to_engine=True)
    use_dask_gpu_training: Switch = choice("Train on several GPUs through Dask. Clary trains without Dask, on one host.", "true", "false", default="false", when="tree_method is gpu_hist or hist", versions="1.5-1 and later")
    verbosity: int = integer("0 silent, 1 warnings, 2 information, 3 debugging.", default=1, min=0, max=3)
    dsplit: Literal["row", "col"] | None = choice("How data is split over hosts: by rows.", "row", "col")
    predictor: Literal["auto", "cpu_predictor", "gpu_predictor"] | None = choice("Where predictions are computed. Today's engine follows the device.", "auto", "cpu_predictor", "gpu_predictor")
    num_parallel_tree: int | None = integer("Trees grown in each round.", min=1)
    sampling_method: Literal["uniform", "gradient_based"] | None = choice("How rows are drawn.", "uniform", "gradient_based", versions="1.3-1 and later")
    prob_buffer_row: int | None = integer("Rows that the old parser of text buffered. Clary's own parsers need no hint.", min=1, exclusive_min=True, versions="1.3-1 and later")
    aft_loss_distribution: Literal["normal", "logistic", "extreme"] | None = choice("Distribution of the error of log survival time.", "normal", "logistic", "extreme", when="objective is survival:aft", versions="1.2-1 and later")
    aft_loss_distribution_scale: float | None = number("Scale of that distribution.", min=0, when="objective is survival:aft", versions="1.2-1 and later")
    save_model_on_termination: Switch = choice("Keep the model of a training that is stopped. Clary always does.", "true", "false", default="false", versions="1.0-1 and later")
    internal_kfold: int | None = integer("Cross-validation: number of folds made of train and validation together. One model a fold is kept.", min=2, versions="1.2-1 and later")
    internal_num_cv_round: int = integer("How often the cross-validation is repeated.", default=1, min=1, when="_kfold is set", versions="1.2-1 and later")
    internal_tuning_objective_metric: str | None = choice("Set by automatic tuning: the metric is evaluated, and early stopping watches it.", *(f"validation:{name}" for name in _NAMES))
    silent: int = integer("1: no messages, as verbosity 0.", default=0, min=0, max=1, versions="0.72, 0.90-1, 0.90-2 and 1.0-1")

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(("objective",), _objective_is_one),
        Rule(("objective", "num_class", "eval_metric", "_tuning_objective_metric"), _fitting_metrics),
        Rule(("objective", "base_score"), _intercept_is_possible),
        Rule(("updater", "booster", "process_type"), _updaters_agree),
        Rule(("updater",), _updaters_exist),
        Rule(("tree_method", "monotone_constraints", "interaction_constraints", "use_dask_gpu_training"), _methods_allow),
        Rule(("interaction_constraints",), _interactions_are_features),
        Rule(("dsplit",), _rows_are_split),
    )


def _metric(channel: str, name: str, goal: Goal, documented: bool, about: str) -> Metric:
    # CloudWatch shows the tab of the log line as #011
    regex = rf".*\[[0-9]+\].*#011{channel}-{name}:(\S+)"
    return Metric(f"{channel}:{name}", goal, regex, about, when=f"eval_metric has {name}, or it is the objective's own", documented=documented)


_TYPES = ("libsvm", "text/libsvm", "text/x-libsvm", "csv", "text/csv", "parquet", "application/x-parquet", "recordio-protobuf", "application/x-recordio-protobuf")
# What JumpStart's notebooks set; its own defaults are not published
_JUMPSTART = {"num_boost_round": "100", "early_stopping_rounds": "10"}
_RENAMED = {"num_boost_round": "num_round"}

ALGORITHM = Algorithm(
    name="xgboost",
    title="XGBoost",
    summary="Gradient-boosted trees for classification, regression, ranking and survival times.",
    learning="supervised",
    problem_types=("regression", "binary_classification", "multiclass_classification", "ranking", "survival"),
    images=("sagemaker-xgboost", "xgboost"),
    multi_model=True,
    hyperparameters=XGBoostHyperparameters,
    channels=(
        ChannelSpec("train", "Rows to learn from.", required=True, content_types=_TYPES, beyond=(JSONLINES,), missing=True, default_content_type=LIBSVM),
        ChannelSpec("validation", "Rows that every round is scored on.", content_types=_TYPES, beyond=(JSONLINES,), missing=True, default_content_type=LIBSVM),
    ),
    metrics=(
        *(_metric("validation", *one) for one in _METRICS),
        *(_metric("train", name, goal, False, about) for name, goal, _, about in _METRICS),
    ),
    tuning=(
        TuningRange("alpha", "Continuous", 0, 1000, scaling="Linear"),
        TuningRange("colsample_bylevel", "Continuous", 0.1, 1, scaling="Linear"),
        TuningRange("colsample_bynode", "Continuous", 0.1, 1, scaling="Linear"),
        TuningRange("colsample_bytree", "Continuous", 0.5, 1, scaling="Linear"),
        TuningRange("eta", "Continuous", 0.1, 0.5, scaling="Linear"),
        TuningRange("gamma", "Continuous", 0, 5, scaling="Linear"),
        TuningRange("lambda", "Continuous", 0, 1000, scaling="Linear"),
        TuningRange("max_delta_step", "Integer", 0, 10, scaling="Linear"),
        TuningRange("max_depth", "Integer", 0, 10, scaling="Linear"),
        TuningRange("min_child_weight", "Continuous", 0, 120, scaling="Linear"),
        TuningRange("num_round", "Integer", 1, 4000, scaling="Linear"),
        TuningRange("subsample", "Continuous", 0.5, 1, scaling="Linear"),
    ),
    inference=Inference(
        outputs=(
            Output("score", "The prediction; for multi:softprob the probability of each class.", vector="num_class with multi:softprob"),
            Output("predicted_label", "The predicted class.", kind="integer", when="the objective is binary:* or multi:*"),
        ),
        accepts=("text/csv", "text/libsvm", "text/x-libsvm", "application/x-recordio-protobuf", "csv", "libsvm", "recordio-protobuf"),
        returns=(CSV, JSON, JSONLINES, RECORDIO),
        default_content_type=LIBSVM,
        missing=True,
        empty_status=204,
        respond="clary.algorithms.xgboost.respond:respond",
    ),
    examples=(
        Example({"num_round": 5, "objective": "binary:logistic", "eval_metric": ["accuracy", "auc", "aucpr", "balanced_accuracy", "f1", "f1_binary", "f1_macro", "precision", "precision_macro", "precision_micro", "recall", "recall_macro", "recall_micro", "error", "logloss"]}, "binary"),
        Example({"num_round": 5, "objective": "multi:softprob", "eval_metric": ["merror", "mlogloss"]}, "multiclass"),
        Example({"num_round": 5, "eval_metric": ["mse", "mae", "mape", "mphe", "r2", "rmse"]}, "number"),
        Example({"num_round": 5, "objective": "count:poisson", "eval_metric": ["poisson-nloglik", "rmsle", "gamma-deviance", "gamma-nloglik"]}, "binary"),
        Example({"num_round": 5, "objective": "reg:tweedie", "eval_metric": ["tweedie-nloglik"]}, "binary"),
        Example({"num_round": 5, "objective": "rank:ndcg", "eval_metric": ["map", "ndcg"]}, "binary"),
        Example({"num_round": 5, "objective": "survival:aft", "eval_metric": ["aft-nloglik", "interval-regression-accuracy"]}, "number"),
        Example({"num_round": 5, "objective": "survival:cox", "eval_metric": ["cox-nloglik"]}, "number"),
    ),
    hardware=Hardware(train_gpu=True, multi_gpu=True, inference_gpu=True),
    incremental=True,
    jumpstart=(
        # multi:softprob answers the probability of each class, for two classes as well
        JumpStartModel("xgboost-classification-model", "XGBoost for tabular classification", {"objective": "multi:softprob", **_JUMPSTART}, _RENAMED),
        JumpStartModel("xgboost-regression-model", "XGBoost for tabular regression", {"objective": "reg:squarederror", **_JUMPSTART}, _RENAMED),
    ),
    # The hosts' quantile sketches are merged, so bins and trees are not quite one host's
    pass_name="round",
    hosts_tolerance=0.05,
    fit="clary.algorithms.xgboost.fit:fit",
    model="clary.algorithms.xgboost.model:XGBoostModel",
)
