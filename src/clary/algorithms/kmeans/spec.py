"""The declaration of k-means."""

from __future__ import annotations

from typing import ClassVar, Literal

from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import (
    Auto,
    Hyperparameters,
    choice,
    free_json,
    integer,
    number,
)
from clary.spec.metrics import PROGRESS, THROUGHPUT, quality
from clary.spec.outputs import BEYOND, CSV, JSON, JSONLINES, RECORDIO, Inference, Output

Start = Literal["random", "kmeans++"]


class KMeansHyperparameters(Hyperparameters):
    """Hyperparameters of k-means."""

    feature_dim: int | None = integer("Number of input features.", required=True, inferred=True, min=1)
    k: int = integer("Number of clusters in the model.", required=True, min=1)
    epochs: int = integer("Passes over train.", default=1, min=1)
    eval_metrics: tuple[str, ...] = free_json("Scores on test: msd (mean) and ssd (sum) of squared distances.", ["msd"], ["ssd"], ["msd", "ssd"], default=("msd",))
    extra_center_factor: int | Auto = integer("The run keeps k times this many centers and merges them to k at the end.", auto=True, min=1)
    half_life_time_size: int = integer("Points after which an observation's weight has halved; 0 means no decay.", default=0, min=0)
    init_method: Start = choice("How the first centers are picked.", "random", "kmeans++", default="random")
    local_lloyd_init_method: Start = choice("How the final Lloyd step starts.", "random", "kmeans++", default="kmeans++")
    local_lloyd_max_iter: int = integer("Most iterations of the final Lloyd step.", default=300, min=1)
    local_lloyd_num_trials: int | Auto = integer("Restarts of the final Lloyd step; the best is kept.", auto=True, min=1)
    local_lloyd_tol: float = number("Relative change of the loss that ends the final Lloyd step.", default=0.0001, min=0, max=1)
    mini_batch_size: int = integer("Rows in a mini-batch.", default=5000, min=1)

    ignored: ClassVar[frozenset[str]] = frozenset({"force_dense", "_num_slices", "_disable_wait_to_read"})


ALGORITHM = Algorithm(
    name="kmeans",
    title="K-Means",
    summary="Groups rows into k clusters in one pass over the data.",
    learning="unsupervised",
    problem_types=("clustering",),
    images=("kmeans",),
    hyperparameters=KMeansHyperparameters,
    channels=(
        ChannelSpec("train", "Rows to cluster.", required=True, label="none", beyond=BEYOND),
        ChannelSpec("test", "Rows scored by the final model.", label="none", beyond=BEYOND),
    ),
    metrics=(
        quality("test:msd", "Minimize", "test msd <loss>", "Mean squared distance to the nearest center."),
        quality("test:ssd", "Minimize", "test ssd <loss>", "Sum of squared distances to the nearest center."),
        quality("train:msd", "Minimize", "train msd <loss>", "Mean squared distance when the model is finalized.", documented=False),
        PROGRESS,
        THROUGHPUT,
    ),
    tuning=(
        TuningRange("epochs", "Integer", 1, 10),
        TuningRange("extra_center_factor", "Integer", 4, 10),
        TuningRange("init_method", "Categorical", values=("kmeans++", "random"), scaling=None),
        TuningRange("mini_batch_size", "Integer", 3000, 15000),
    ),
    inference=Inference(
        outputs=(
            Output("closest_cluster", "Row of the nearest center."),
            Output("distance_to_cluster", "Euclidean distance to it."),
        ),
        returns=(JSON, JSONLINES, RECORDIO, CSV),
    ),
    examples=(Example({"k": 3, "eval_metrics": ["msd", "ssd"]}),),
    hardware=Hardware(train_gpu=True, inference_gpu=True),
    incremental=True,
    options=("elbow",),
    # Hosts begin at other rows
    hosts_tolerance=0.02,
    fit="clary.algorithms.kmeans.fit:fit",
    model="clary.algorithms.kmeans.model:KMeansModel",
)
