"""The declaration of t-SNE."""

from __future__ import annotations

from typing import ClassVar, Literal

from clary.errors import Fault
from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import Auto, Hyperparameters, Rule, choice, integer, number
from clary.spec.metrics import PROGRESS, quality
from clary.spec.outputs import BEYOND, CSV, JSON, JSONLINES, RECORDIO, Inference, Output

Metric = Literal["euclidean", "cosine"]
Search = Literal["auto", "exact", "approximate"]


def _phase_fits(early: int, most: int) -> Fault | None:
    if early <= most:
        return None
    return Fault("early_exaggeration_iter", f"must be at most max_iter, {most}", early)


class TSNEHyperparameters(Hyperparameters):
    """Hyperparameters of t-SNE."""

    feature_dim: int | None = integer("Number of input features.", required=True, inferred=True, min=1)
    num_components: int = integer("Dimensions of the map.", default=2, min=2, max=3)
    perplexity: float = number("About how many neighbors a row has; a third of the rows at most.", default=30.0, min=1)
    metric: Metric = choice("What makes rows neighbors: their distance, or the angle between them.", "euclidean", "cosine", default="euclidean")
    init: Literal["pca", "random"] = choice("Where the points begin: on the first principal components, or at random.", "pca", "random", default="pca")
    learning_rate: float | Auto = number("Step size; auto is rows / exaggeration in each phase.", auto=True, min=0, exclusive_min=True)
    early_exaggeration: float = number("In the early phase neighbors attract each other so many times as much, so that groups form.", default=12.0, min=1)
    early_exaggeration_iter: int = integer("Iterations of the early phase.", default=250, min=0)
    max_iter: int = integer("Iterations in all.", default=750, min=1)
    neighbor_search: Search = choice("How neighbors are found; auto is exact up to 50,000 rows.", "auto", "exact", "approximate", default="auto")
    reduction_dim: int = integer("Rows that are wider are first reduced to so many principal components; 0 leaves them as they are.", default=50, min=0)
    sample_size: int = integer("Rows that make the map; of more, as many are drawn, and the others are placed into the finished map.", default=100_000, min=4)

    rules: ClassVar[tuple[Rule, ...]] = (Rule(("early_exaggeration_iter", "max_iter"), _phase_fits),)


ALGORITHM = Algorithm(
    name="tsne",
    title="t-SNE",
    summary="Draws a map on which rows that are alike lie together.",
    learning="unsupervised",
    problem_types=("dimensionality_reduction", "visualization"),
    images=("tsne",),
    hyperparameters=TSNEHyperparameters,
    channels=(
        ChannelSpec("train", "Rows to map; a label colors the picture and changes nothing else.", required=True, label="optional", beyond=BEYOND),
        ChannelSpec("test", "Rows placed into the finished map, to see how well that works.", label="optional", beyond=BEYOND),
    ),
    metrics=(
        quality("train:kl_divergence", "Minimize", "train kl_divergence <loss>", "How far the map's neighborhoods are from those of the rows."),
        quality("train:trustworthiness", "Maximize", "train trustworthiness <score>", "How far neighbors on the map are neighbors among the rows, from 0 to 1."),
        quality("test:trustworthiness", "Maximize", "test trustworthiness <score>", "The same of placed rows and their neighbors on the map."),
        PROGRESS,
    ),
    tuning=(
        TuningRange("perplexity", "Continuous", 5, 100, scaling="Logarithmic"),
        TuningRange("early_exaggeration", "Continuous", 4, 32, scaling="Logarithmic"),
    ),
    inference=Inference(
        outputs=(Output("embedding", "The row's place on the map.", vector="num_components"),),
        returns=(JSON, JSONLINES, RECORDIO, CSV),
    ),
    examples=(
        Example({"perplexity": 10, "early_exaggeration_iter": 50, "max_iter": 150}),
        Example({"num_components": 3, "metric": "cosine", "init": "random", "neighbor_search": "approximate", "reduction_dim": 4, "sample_size": 120, "early_exaggeration_iter": 20, "max_iter": 100}),
    ),
    hardware=Hardware(train_gpu=False),
    pass_name="iteration",
    extra="tsne",
    fit="clary.algorithms.tsne.fit:fit",
    model="clary.algorithms.tsne.model:TSNEModel",
)
