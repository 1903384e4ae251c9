"""The declaration of random cut forest."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import Hyperparameters, integer, listing, number
from clary.spec.metrics import PROGRESS, THROUGHPUT, Goal, Metric, quality
from clary.spec.outputs import BEYOND, JSON, JSONLINES, RECORDIO, Inference, Output

_SCORES = ("accuracy", "precision_recall_fscore")


class RandomCutForestHyperparameters(Hyperparameters):
    """Hyperparameters of random cut forest."""

    feature_dim: int | None = integer("Number of input features.", required=True, inferred=True, min=1, max=10_000)
    eval_metrics: tuple[str, ...] = listing("Scores on a labelled test channel; precision_recall_fscore is precision, recall and F1, of anomalies and of normal rows.", *_SCORES, default=_SCORES)
    num_samples_per_tree: int = integer("Training rows given to each tree; 1 divided by it is best near the share of anomalies.", default=256, min=1, max=2048)
    num_trees: int = integer("Trees in the forest.", default=100, min=50, max=1000)
    shingle_size: int = integer("Rows in succession that are scored together as one point of a series; 1 scores each row alone. Beyond SageMaker.", default=1, min=1, max=1000)
    time_decay: float = number("By this much a row's chance to stay in the sample falls, relative, with each row after it; 0 keeps rows of all ages alike. Beyond SageMaker.", default=0.0, min=0, max=1)

    ignored: ClassVar[frozenset[str]] = frozenset({"mini_batch_size", "epochs", "force_dense", "_ftp_port"})


def _test(name: str, about: str, documented: bool = False) -> Metric:
    goal: Goal = "Maximize"
    return quality(f"test:{name}", goal, f"test {name} <score>", about, documented=documented)


ALGORITHM = Algorithm(
    name="randomcutforest",
    title="Random Cut Forest (RCF)",
    summary="Finds rows that are unlike the others, in tables and in series, and can follow a stream.",
    learning="unsupervised",
    problem_types=("anomaly_detection",),
    images=("randomcutforest",),
    hyperparameters=RandomCutForestHyperparameters,
    channels=(
        ChannelSpec("train", "Rows that are normal for the most part.", required=True, label="none", distribution=("ShardedByS3Key",), beyond=BEYOND),
        # The guide has it FullyReplicated only; the record sets of SDK 2 are sharded
        ChannelSpec("test", "Labelled rows, 1 for anomalies and 0 for the others, on which the final model is scored.", beyond=BEYOND),
    ),
    metrics=(
        _test("f1", "F1 of anomalies, those rows whose score is more than three standard deviations above the mean.", documented=True),
        _test("accuracy", "Share of rows that are told right."),
        _test("precision", "Share of anomalies among the rows told to be."),
        _test("recall", "Share of the anomalies that are found."),
        _test("normal_precision", "Share of normal rows among those told to be."),
        _test("normal_recall", "Share of the normal rows that are told to be."),
        _test("normal_f1", "F1 of normal rows."),
        # This image's line lacks a word that others' have
        replace(PROGRESS, line="#progress_metric: host={host}, completed {value} % epochs"),
        THROUGHPUT,
    ),
    tuning=(
        TuningRange("num_samples_per_tree", "Integer", 1, 2048),
        TuningRange("num_trees", "Integer", 50, 1000),
    ),
    inference=Inference(
        outputs=(
            Output("score", "How unlike the rows of training the row is: about 1 for usual ones, more for anomalies."),
            Output("attribution", "What each feature adds to the score.", vector="feature_dim", verbose=True),
        ),
        returns=(JSON, JSONLINES, RECORDIO),
        json_top="scores",
        respond="clary.algorithms.randomcutforest.respond:respond",
    ),
    examples=(Example({"num_trees": 50, "num_samples_per_tree": 64}, labels="binary"),),
    hardware=Hardware(),
    multi_model=True,
    # Hosts keep other rows of the stream, and few rows of the test channel lie near the threshold
    hosts_tolerance=0.1,
    fit="clary.algorithms.randomcutforest.fit:fit",
    model="clary.algorithms.randomcutforest.model:RandomCutForestModel",
)
