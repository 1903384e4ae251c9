"""IP Insights: vectors of entities and of addresses whose product is high where both go together.

As SageMaker describes it: an entity is hashed to a row of a table of vectors; an address goes
through a network, whose form is in `encoder`; the product of both vectors is the log odds that the
pair is real rather than generated. Pairs are generated in two ways: with random addresses, and with
those of other pairs of the mini-batch. The stages of an epoch: pairs come in windows, each in
random order; every mini-batch is a step of Adam on the cross-entropy of its real and generated
pairs; then validation's pairs are told from as many with random addresses, the same ones after each
epoch.

Hosts cut each mini-batch among them and add up their gradients, so that all have the same
parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np

from clary import settings
from clary.algorithms.ipinsights import checkpoint
from clary.algorithms.ipinsights.adam import Pace, Weights
from clary.algorithms.ipinsights.encoder import Encoder
from clary.algorithms.ipinsights.journal import Journal
from clary.algorithms.ipinsights.learner import Learner
from clary.algorithms.ipinsights.model import IPInsightsModel
from clary.algorithms.ipinsights.pairs import NONE, Pairs, pairs_of
from clary.algorithms.ipinsights.sampling import Negatives
from clary.algorithms.ipinsights.spec import PAIR, IPInsightsHyperparameters
from clary.algorithms.ipinsights.validation import discriminator_auc
from clary.errors import CallerError
from clary.kit.parallel import one_thread_blas
from clary.kit.run import Run

IPInsightsRun: TypeAlias = Run[IPInsightsHyperparameters]

# Pairs whose order is drawn together
_WINDOW_PAIRS = 2**18
_SPREAD = 0.03
_DRAWN_ROWS = 2**16


def fit(run: IPInsightsRun) -> IPInsightsModel:
    """Learn the vectors of train's pairs.

    Raises:
        CallerError: there are no rows, the tables do not fit memory, the loss diverges, or
            validation has addresses of a family that train lacks.
    """
    seed = int(run.rng.integers(2**63))
    learner = _begun(run, seed)
    with one_thread_blas():
        epoch = checkpoint.restored(learner, run.checkpoints, run.cluster)
        if epoch:
            run.log(f"going on from the checkpoint after epoch {epoch}")
        journal = Journal(run)
        while epoch < run.params.epochs:
            interrupted = _epoch(run, epoch, learner, journal, seed)
            if not learner.steps:
                raise CallerError.of("channel train", "there are no rows in the data")
            learner.catch_up()
            journal.end_of_epoch(epoch)
            if interrupted:
                break
            _validate(run, epoch, learner)
            epoch += 1
            run.checkpoints.save(epoch, lambda folder: checkpoint.write(learner, folder))
    return _model(run, learner)


def _begun(run: IPInsightsRun, seed: int) -> Learner:
    """Vectors drawn at random, the same on all hosts."""
    params = run.params
    _check_room(params)
    rng = np.random.default_rng((seed, 0))
    encoder = Encoder.drawn(params.vector_dim, params.num_ip_encoder_layers, rng)
    entities = np.empty((params.num_entity_vectors, params.vector_dim), np.float32)
    for start in range(0, len(entities), _DRAWN_ROWS):
        part = entities[start : start + _DRAWN_ROWS]
        rng.standard_normal(out=part, dtype=np.float32)
        part *= _SPREAD
    return Learner(
        Weights.of(entities),
        Weights.of(encoder.parameters),
        params.num_ip_encoder_layers,
        Pace(params.learning_rate),
        params.weight_decay,
        run.cluster,
    )


def _check_room(params: IPInsightsHyperparameters) -> None:
    """The table of entities and Adam's two moments of it fit the memory that a job may take."""
    needed = 3 * 4 * params.num_entity_vectors * params.vector_dim
    present = settings.job_memory_bytes()
    if needed > present:
        raise CallerError.of(
            "num_entity_vectors x vector_dim",
            f"must be at most {present // 12:,}, as training takes 12 bytes each and there "
            f"are {present / 2**30:.1f} GiB",
            params.num_entity_vectors * params.vector_dim,
        )


def _epoch(run: IPInsightsRun, epoch: int, learner: Learner, journal: Journal, seed: int) -> bool:
    """One pass over train; True if it was cut short."""
    params = run.params
    rng = np.random.default_rng((seed, 1, epoch, run.cluster.rank))
    source = _minibatches(run, epoch, rng)
    while True:
        pairs = next(source, NONE)
        told = np.array([len(pairs), run.stop, pairs.has_six])
        total, stop, six = run.cluster.all_reduce(told)
        if not total:
            return False
        if six and not learner.network.takes_six:
            run.log("there are IPv6 addresses: their octets get vectors, too")
            learner.meet_six(np.random.default_rng((seed, 2)))
        negatives = Negatives.drawn(
            len(pairs),
            params.random_negative_sampling_rate,
            params.shuffled_negative_sampling_rate,
            rng,
        )
        loss, right = learner.learn(pairs, negatives, int(total))
        if not np.isfinite(loss):
            rule = "is too large: the loss is no number any more"
            raise CallerError.of("learning_rate", rule, params.learning_rate)
        journal.batch(epoch, int(total), negatives.tries, loss, right)
        if stop:
            return True


def _minibatches(run: IPInsightsRun, epoch: int, rng: np.random.Generator) -> Iterator[Pairs]:
    """This host's parts of the mini-batches."""
    rows = -(-run.params.mini_batch_size // run.cluster.size)
    window = rows * max(1, _WINDOW_PAIRS // rows)
    for batch in run.train.batches(window, epoch):
        pairs = pairs_of(batch, run.params.num_entity_vectors, PAIR)
        pairs = pairs.chosen(rng.permutation(len(pairs)))
        for start in range(0, len(pairs), rows):
            yield pairs.chosen(slice(start, start + rows))


def _validate(run: IPInsightsRun, epoch: int, learner: Learner) -> None:
    if "validation" in run.channels:
        channel = run.channels["validation"]
        auc = discriminator_auc(_model(run, learner), channel, epoch, run.cluster)
        if auc is not None:
            run.report("validation:discriminator_auc", auc, epoch=epoch)


def _model(run: IPInsightsRun, learner: Learner) -> IPInsightsModel:
    return IPInsightsModel(learner.entities.values, learner.network, run.params)
