"""Factorization machines: a linear model, and for each pair of features the product of vectors.

Rendle, "Factorization machines", ICDM 2010. A row's score is
w0 + Σ w_i x_i + Σ_(i<j) <v_i, v_j> x_i x_j. The stages: parameters are drawn; in each epoch
mini-batches are scored, and the features that occur in them take a step of Adam against the
gradient of the loss. Features that do not occur are not touched, and rows are never made dense.

Hosts add up their gradients after every mini-batch, and so stay in step.
"""

from __future__ import annotations

import numpy as np

from clary.algorithms.factorization_machines.journal import Journal
from clary.algorithms.factorization_machines.learner import Learner
from clary.algorithms.factorization_machines.minibatches import Passes
from clary.algorithms.factorization_machines.model import FactorizationMachinesModel
from clary.algorithms.factorization_machines.scores import POSITIVE, Doubles
from clary.algorithms.factorization_machines.spec import (
    GROUPS,
    NEEDED,
    FactorizationMachinesHyperparameters,
)
from clary.algorithms.factorization_machines.tables import Tables, first_tables
from clary.errors import CallerError
from clary.kit.run import Run
from clary.kit.width import settle_feature_dim

FactorizationMachinesRun = Run[FactorizationMachinesHyperparameters]


def fit(run: FactorizationMachinesRun) -> FactorizationMachinesModel:
    """Learn the rows of train.

    Raises:
        CallerError: rows are not of one width, labels are not what the predictor takes or all of
            one class, or the parameters grow beyond all bounds.
    """
    _say_unused(run)
    begin, order = run.rng.spawn(2)
    width = settle_feature_dim(run, run.train.sample(1))
    epoch, tables = _resumed(run, first_tables(run.params, width, begin))
    batch_rows = -(-run.params.mini_batch_size // run.cluster.size)
    seed = int(order.integers(2**63))
    passes = Passes(run.train, run.params.predictor_type, width, batch_rows, seed)
    journal = Journal(run)
    with Learner(run.params, tables, run.cluster) as learner:
        while True:
            total, interrupted = _epoch(run, epoch, passes, learner, journal)
            _check(run, total, complete=not interrupted)
            journal.epoch(epoch, total)
            epoch += 1
            if interrupted or epoch >= run.params.epochs:
                break
            run.checkpoints.save(epoch, tables.save)
    journal.end(total)
    weights = np.ascontiguousarray(tables.linear[:, 0])
    return FactorizationMachinesModel(run.params, float(tables.bias[0]), weights, tables.factors)


def _say_unused(run: FactorizationMachinesRun) -> None:
    """Hyperparameters that were given and have no effect beside the others."""
    given, params = run.params.given(), run.params
    for group in GROUPS:
        method = getattr(params, f"{group}_init_method")
        for other, needed in NEEDED.items():
            if other != method and f"{group}_init_{needed}" in given:
                run.log(f"{group}_init_{needed}: not used, as {group}_init_method is {method}")
        if not getattr(params, f"use_{group}", True):
            unused = [name for name in given if name.startswith(f"{group}_")]
            run.log(f"{', '.join([f'use_{group} is false', *unused])}: not used")


def _resumed(run: FactorizationMachinesRun, tables: Tables) -> tuple[int, Tables]:
    """The next epoch and the tables: as they are, or of a training that was killed."""
    latest = run.checkpoints.latest() if run.cluster.is_leader else None
    epoch = run.cluster.broadcast(latest[0] if latest else None)
    if epoch is None:
        return 0, tables
    run.log(f"going on from the checkpoint after epoch {epoch}")
    return epoch, Tables.resumed(latest[1] if latest else None, tables, run.cluster)


def _epoch(
    run: FactorizationMachinesRun, epoch: int, passes: Passes, learner: Learner, journal: Journal
) -> tuple[Doubles, bool]:
    """One pass over train: its tally, and whether it was cut short."""
    batches = passes.minibatches(epoch)
    learned: list[Doubles] = []
    while True:
        # Hosts that have no rows left go on adding nothing
        found = learner.learn(next(batches, None), run.stop)
        if found.rows:
            journal.batch(epoch, len(learned), found)
            learned.append(found.tally)
        if found.stopping or not found.rows:
            return np.sum([np.zeros_like(found.tally), *learned], axis=0), found.stopping


def _check(run: FactorizationMachinesRun, total: Doubles, *, complete: bool) -> None:
    """Refuse an epoch that cannot be learned from. total: its tally."""
    if not np.isfinite(total).all():
        raise CallerError.of(
            f"channel {run.train.name}",
            "the loss must stay finite",
            float(total[1]),
            "Lower the learning rates, or bring the features to a common scale.",
        )
    if not total[0]:
        raise CallerError.of("channel train, weights", "one at least must be above 0", 0)
    if run.params.predictor_type == "binary_classifier" and complete:
        positive = total[POSITIVE] / total[0]
        if positive in {0, 1}:
            rule = "a binary_classifier needs rows of both classes; every row has the same label"
            raise CallerError.of("channel train", rule, f"{positive:g}")
