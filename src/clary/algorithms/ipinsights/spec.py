"""The declaration of IP Insights."""

from __future__ import annotations

from typing import Any, ClassVar

from clary.errors import Fault
from clary.spec.algorithm import Algorithm, Example, TuningRange
from clary.spec.channels import ChannelSpec
from clary.spec.columns import Column
from clary.spec.hardware import Hardware
from clary.spec.hyperparameters import Hyperparameters, Rule, integer, number
from clary.spec.metrics import PROGRESS, THROUGHPUT, quality
from clary.spec.outputs import CSV, JSON, JSONLINES, PARQUET, Inference, Output

_MOST_NEGATIVES = 500

PAIR = (Column("entity", "text", "alice"), Column("ip", "address", "192.0.2.7"))


def _negatives(random: int, shuffled: int) -> Fault | None:
    if 1 <= random + shuffled <= _MOST_NEGATIVES:
        return None
    return Fault(
        "random_negative_sampling_rate + shuffled_negative_sampling_rate",
        f"must be from 1 to {_MOST_NEGATIVES}",
        random + shuffled,
    )


class IPInsightsHyperparameters(Hyperparameters):
    """Hyperparameters of IP Insights."""

    num_entity_vectors: int = integer("Rows of the table of entity vectors, in which entities are found by a hash; twice as many as there are entities keep most of them apart.", required=True, min=1, max=250_000_000)
    vector_dim: int = integer("Length of the vectors of entities and addresses.", required=True, min=4, max=4096)
    batch_metrics_publish_interval: int = integer("Mini-batches between two reports of speed and scores.", default=1000, min=1)
    epochs: int = integer("Passes over train.", default=10, min=1)
    learning_rate: float = number("Step size of Adam.", default=0.001, min=0.000001, max=10)
    mini_batch_size: int = integer("Pairs in a mini-batch, of all hosts together.", default=10_000, min=1, max=500_000)
    num_ip_encoder_layers: int = integer("Fully connected layers between an address and its vector.", default=1, min=0, max=100)
    random_negative_sampling_rate: int = integer("Random addresses that each pair is told from.", default=1, min=0, max=_MOST_NEGATIVES)
    shuffled_negative_sampling_rate: int = integer("Addresses of other pairs of the mini-batch that each pair is told from.", default=1, min=0, max=_MOST_NEGATIVES)
    weight_decay: float = number("Weight of the squares of all parameters in the loss.", default=0.00001, min=0, max=10)

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(("random_negative_sampling_rate", "shuffled_negative_sampling_rate"), _negatives),
    )
    ignored: ClassVar[frozenset[str]] = frozenset({"feature_dim"})


_FORM: dict[str, Any] = {
    "content_types": (CSV,),
    "beyond": (PARQUET, JSONLINES),
    "label": "none",
    "default_content_type": CSV,
    "columns": PAIR,
}
_ENTROPY, _ACCURACY = "binary_classification_cross_entropy", "binary_classification_accuracy"

ALGORITHM = Algorithm(
    name="ipinsights",
    title="IP Insights",
    summary="Learns which addresses go with which entities, to tell an unusual pair.",
    learning="unsupervised",
    problem_types=("anomaly_detection", "embeddings"),
    images=("ipinsights",),
    hyperparameters=IPInsightsHyperparameters,
    channels=(
        ChannelSpec("train", "Pairs of an entity and an address that were seen together.", required=True, **_FORM),
        ChannelSpec("validation", "Pairs scored after each epoch, beside as many with random addresses.", **_FORM),
    ),
    metrics=(
        quality("validation:discriminator_auc", "Maximize", "epoch={epoch}, validation discriminator_auc <score>", "Area under the ROC curve of telling validation's pairs from ones with random addresses."),
        quality(f"train:{_ENTROPY}", "Minimize", f"epoch={{epoch}}, batch={{batch}} train {_ENTROPY} <loss>", "Cross-entropy of real and generated pairs, since the last report.", documented=False),
        quality(f"train:{_ENTROPY}:epoch", "Minimize", f"epoch={{epoch}}, train {_ENTROPY} <loss>", "The same over an epoch.", documented=False),
        quality(f"train:{_ACCURACY}", "Maximize", f"epoch={{epoch}}, batch={{batch}} train {_ACCURACY} <score>", "Share of real and generated pairs told right, since the last report.", documented=False),
        quality(f"train:{_ACCURACY}:epoch", "Maximize", f"epoch={{epoch}}, train {_ACCURACY} <score>", "The same over an epoch.", documented=False),
        PROGRESS,
        THROUGHPUT,
    ),
    tuning=(
        TuningRange("epochs", "Integer", 1, 100),
        TuningRange("learning_rate", "Continuous", 0.0001, 0.1),
        TuningRange("mini_batch_size", "Integer", 100, 50_000),
        TuningRange("num_entity_vectors", "Integer", 10_000, 1_000_000),
        TuningRange("num_ip_encoder_layers", "Integer", 1, 10),
        TuningRange("random_negative_sampling_rate", "Integer", 0, 10),
        TuningRange("shuffled_negative_sampling_rate", "Integer", 0, 10),
        TuningRange("vector_dim", "Integer", 8, 256),
        TuningRange("weight_decay", "Continuous", 0.0, 1.0),
    ),
    inference=Inference(
        outputs=(
            Output("dot_product", "Log odds that the pair is real: low is unusual. Unbounded."),
            Output("entity_embedding", "The entity's vector.", vector="vector_dim", verbose=True),
            Output("ip_embedding", "The address's vector.", vector="vector_dim", verbose=True),
        ),
        accepts=(CSV, JSON, JSONLINES),
        returns=(JSON, JSONLINES),
        default_content_type=CSV,
        columns=PAIR,
    ),
    examples=(
        Example({"num_entity_vectors": 60, "vector_dim": 8, "mini_batch_size": 40, "epochs": 5,
        "learning_rate": 0.03, "batch_metrics_publish_interval": 2}), Example({"num_entity_vectors":
        60, "vector_dim": 8, "num_ip_encoder_layers": 2, "epochs": 2,
        "random_negative_sampling_rate": 2, "shuffled_negative_sampling_rate": 0}),
        Example({"num_entity_vectors": 60, "vector_dim": 8, "num_ip_encoder_layers": 0, "epochs": 1,
        "random_negative_sampling_rate": 0, "shuffled_negative_sampling_rate": 2}),
    ),
    hardware=Hardware(train_gpu=True, multi_gpu=True, inference_gpu=True),
    # Hosts draw other negatives, and validate on other ones
    hosts_tolerance=0.1,
    fit="clary.algorithms.ipinsights.fit:fit",
    model="clary.algorithms.ipinsights.model:IPInsightsModel",
)
