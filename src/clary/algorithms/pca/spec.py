"""The declaration of PCA."""

from __future__ import annotations

from typing import ClassVar, Literal

from clary.spec.algorithm import Algorithm, Example
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import Hyperparameters, boolean, choice, integer
from clary.spec.metrics import PROGRESS, THROUGHPUT, quality
from clary.spec.outputs import BEYOND, Inference, Output


class PCAHyperparameters(Hyperparameters):
    """Hyperparameters of PCA."""

    feature_dim: int | None = integer("Number of input features.", required=True, inferred=True, min=1)
    mini_batch_size: int | None = integer("Rows in a mini-batch. The components do not depend on it.", required=True, inferred=True, min=1)
    num_components: int = integer("Number of components to keep.", required=True, min=1)
    algorithm_mode: Literal["regular", "randomized"] = choice("Exact covariance, or a randomized sketch of it for many features.", "regular", "randomized", default="regular")
    extra_components: int = integer("More of them make the sketch wider and the components more exact; -1 means as many as num_components, 10 at least.", default=-1, min=-1, when="algorithm_mode is randomized")
    subtract_mean: bool = boolean("Center the data in training and at inference.", default=True)

    ignored: ClassVar[frozenset[str]] = frozenset({"epochs", "force_dense"})


ALGORITHM = Algorithm(
    name="pca",
    title="Principal Component Analysis (PCA)",
    summary="Finds the directions in which rows vary most, in one pass over the data or three.",
    learning="unsupervised",
    problem_types=("dimensionality_reduction",),
    images=("pca",),
    hyperparameters=PCAHyperparameters,
    channels=(
        ChannelSpec("train", "Rows to reduce.", required=True, label="none", beyond=BEYOND),
        ChannelSpec("test", "Rows on which the final model is scored.", label="none", beyond=BEYOND),
    ),
    metrics=(
        quality("train:explained_variance", "Maximize", "train explained_variance <score>", "Share of the rows' variance that the components keep.", documented=False),
        quality("test:explained_variance", "Maximize", "test explained_variance <score>", "The same share on test rows.", documented=False),
        PROGRESS,
        THROUGHPUT,
    ),
    inference=Inference(
        outputs=(Output("projection", "The row in the components' coordinates, the largest component last.", vector="num_components"),),
        json_top="projections",
    ),
    examples=(
        Example({"num_components": 2}),
        Example({"num_components": 2, "algorithm_mode": "randomized", "subtract_mean": "false"}),
    ),
    hardware=Hardware(train_gpu=True, multi_gpu=None, inference_gpu=True),
    hosts_tolerance=1e-4,
    fit="clary.algorithms.pca.fit:fit",
    model="clary.algorithms.pca.model:PCAModel",
)
