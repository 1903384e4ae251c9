"""The declaration of k-nearest neighbors."""

from __future__ import annotations

from typing import ClassVar, Literal

from clary.errors import Fault
from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import Auto, Hyperparameters, Rule, choice, integer
from clary.spec.metrics import PROGRESS, THROUGHPUT, quality
from clary.spec.outputs import BEYOND, Inference, Output

Predictor = Literal["classifier", "regressor"]
Reduction = Literal["sign", "fjlt"]
Metric = Literal["L2", "INNER_PRODUCT", "COSINE"]
IndexType = Literal["faiss.Flat", "faiss.IVFFlat", "faiss.IVFPQ"]

_PARTS = (1, 2, 3, 4, 8, 12, 16, 20, 24, 28, 32, 40, 48, 56, 64, 96)

_REDUCED = "dimension_reduction_type is set"
_IVF = "index_type is faiss.IVFFlat or faiss.IVFPQ"
_PQ = "index_type is faiss.IVFPQ"


def _target_fits(kind: Reduction | None, target: int | None, width: int | None) -> Fault | None:
    name = "dimension_reduction_target"
    if kind is None:
        rule = "has no effect without dimension_reduction_type"
        return None if target is None else Fault(name, rule, target, "Choose sign or fjlt.")
    if target is None:
        return Fault(name, f"is required for dimension_reduction_type={kind} and was not given")
    if width is not None and target >= width:
        return Fault(name, f"must be below feature_dim, {width}", target)
    return None


def _metric_fits(kind: IndexType, metric: Metric) -> Fault | None:
    if kind == "faiss.IVFPQ" and metric != "L2":
        return Fault("index_metric", "must be L2 for index_type=faiss.IVFPQ", metric)
    return None


def _parts_given(kind: IndexType, parts: int | None) -> Fault | None:
    if kind == "faiss.IVFPQ" and parts is None:
        return Fault("faiss_index_pq_m", f"is required for index_type=faiss.IVFPQ: one of {', '.join(map(str, _PARTS))}")
    return None


class KNNHyperparameters(Hyperparameters):
    """Hyperparameters of k-nearest neighbors."""

    feature_dim: int | None = integer("Number of input features.", required=True, inferred=True, min=1)
    k: int = integer("Number of nearest neighbors that decide.", required=True, min=1)
    predictor_type: Predictor = choice("What the neighbors' labels are used for.", "classifier", "regressor", required=True)
    sample_size: int | None = integer("Rows to sample from train, on all hosts together; left out, all are kept.", required=True, inferred=True, min=1)
    dimension_reduction_target: int | None = integer("Dimensions to reduce rows to, fewer than feature_dim.", required="when dimension_reduction_type is given", min=1, when=_REDUCED)
    dimension_reduction_type: Reduction | None = choice("Random projection: sign has entries of +1 and -1, fjlt is the fast Johnson-Lindenstrauss transform.", "sign", "fjlt")
    faiss_index_ivf_nlists: int | Auto = integer("Cells that the index divides the sample into; auto is the square root of its rows.", auto=True, min=1, when=_IVF)
    faiss_index_pq_m: int | None = integer("Parts that a row is coded in, each in one byte.", choices=_PARTS, min=1, max=96, required="when index_type is faiss.IVFPQ", when=_PQ)
    index_metric: Metric = choice("How near rows are to each other.", "L2", "INNER_PRODUCT", "COSINE", default="L2")
    index_type: IndexType = choice("Flat finds the nearest neighbors, IVFFlat and IVFPQ most of them and sooner.", "faiss.Flat", "faiss.IVFFlat", "faiss.IVFPQ", default="faiss.Flat")
    mini_batch_size: int = integer("Rows read at a time. The model does not depend on it.", default=5000, min=1)
    internal_faiss_index_nprobe: int = integer("Cells of an index that are searched for each row.", default=5, min=1, when=_IVF)

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(("dimension_reduction_type", "dimension_reduction_target", "feature_dim"), _target_fits),
        Rule(("index_type", "index_metric"), _metric_fits),
        Rule(("index_type", "faiss_index_pq_m"), _parts_given),
    )
    ignored: ClassVar[frozenset[str]] = frozenset({"epochs"})


ALGORITHM = Algorithm(
    name="knn",
    title="K-Nearest Neighbors (k-NN)",
    summary="Answers with what the most similar rows of a sample were labelled with.",
    learning="supervised",
    problem_types=("classification", "regression"),
    images=("knn",),
    multi_model=True,
    hyperparameters=KNNHyperparameters,
    channels=(
        ChannelSpec("train", "Labelled rows to sample from.", required=True, beyond=BEYOND),
        ChannelSpec("test", "Labelled rows scored by the final model.", beyond=BEYOND),
    ),
    metrics=(
        quality("test:accuracy", "Maximize", "test accuracy <score>", "Share of right labels on test.", when="predictor_type is classifier"),
        quality("test:mse", "Minimize", "test mse <loss>", "Mean squared error on test.", when="predictor_type is regressor"),
        quality("test:macro_f_1.000", "Maximize", "test macro_f_1.000 <score>", "Mean over the classes of the F1 score on test.", when="predictor_type is classifier", documented=False),
        PROGRESS,
        THROUGHPUT,
    ),
    tuning=(
        TuningRange("k", "Integer", 1, 1024),
        TuningRange("sample_size", "Integer", 256, 20_000_000),
    ),
    inference=Inference(
        outputs=(
            Output("predicted_label", "Of a classifier the most frequent label of the neighbors, of a regressor their mean."),
            Output("distances", "Distances to the neighbors, ascending.", vector="k", verbose=True),
            Output("labels", "Labels of the neighbors, in the same order.", vector="k", verbose=True),
        ),
    ),
    examples=(
        Example({"k": 5, "predictor_type": "classifier", "sample_size": 200}, "multiclass"),
        Example({"k": 5, "predictor_type": "regressor", "sample_size": 200, "index_type": "faiss.IVFFlat", "index_metric": "COSINE"}, "number"),
        Example({"k": 3, "predictor_type": "classifier", "sample_size": 240, "dimension_reduction_type": "fjlt", "dimension_reduction_target": 4}, "binary"),
    ),
    hardware=Hardware(train_gpu=True, inference_gpu=True),
    # Hosts sample other rows
    hosts_tolerance=0.05,
    fit="clary.algorithms.knn.fit:fit",
    model="clary.algorithms.knn.model:KNNModel",
)
