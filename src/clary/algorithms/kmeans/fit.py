"""Web-scale k-means: one pass of mini-batches over many centers, which are merged to k at the end.

Sculley, "Web-scale k-means clustering", WWW 2010. The stages: K = k · extra_center_factor centers
begin at rows of the first mini-batch; each mini-batch moves them; Lloyd's algorithm merges the K
weighted centers to k, the best of several trials; the k centers are refined on a sample of the
rows.

Hosts add up what came to each center after every mini-batch, and so stay in step.
"""

from __future__ import annotations

import time
from copy import deepcopy

import numpy as np

from clary.algorithms.kmeans.assignment import Doubles, Rows, Tally, tallied
from clary.algorithms.kmeans.beginning import first_centers
from clary.algorithms.kmeans.elbow import elbow, numbers_of_clusters
from clary.algorithms.kmeans.lloyd import Lloyd
from clary.algorithms.kmeans.merging import merged
from clary.algorithms.kmeans.model import KMeansModel
from clary.algorithms.kmeans.refinement import refined
from clary.algorithms.kmeans.sample import Drawn, Sample
from clary.algorithms.kmeans.spec import KMeansHyperparameters
from clary.algorithms.kmeans.stream import ExtraCenters
from clary.codecs.batch import Batch, Floats
from clary.errors import CallerError
from clary.kit.parallel import one_thread_blas, ordered_map
from clary.kit.run import Run
from clary.kit.width import features_of, settle_feature_dim

KMeansRun = Run[KMeansHyperparameters]

# SageMaker's tuning range goes from 4 to 10. Ten a cluster are better where clusters are few; where
# they are many, refining makes up for the difference and the pass over the data is quicker.
_FEWEST_EXTRA, _MOST_EXTRA, _ALL_EXTRA = 4, 10, 256
_FEWEST_TRIALS, _MOST_TRIALS, _ALL_TRIED = 3, 10, 500
# Numbers in the extra centers (of 8 bytes) and in the sample (of 4)
_CENTERS_SIZE, _SAMPLE_SIZE = 2**22, 2**25
_SAMPLE_ROWS, _SAMPLE_ROWS_A_CLUSTER = 20_000, 300
_LARGEST = 1e17
_GRACE_SECONDS = 30.0


def fit(run: KMeansRun) -> KMeansModel:
    """Cluster the rows of train.

    Raises:
        CallerError: there are fewer rows than k, rows are not of one width, their numbers are too
            large, or none has a weight.
    """
    sought = numbers_of_clusters(run.options)
    # One for each stage, so that a training that goes on after a kill draws as it would have
    begin, keep, merge, refine, bend = run.rng.spawn(5)
    with one_thread_blas():
        width = settle_feature_dim(run, run.train.sample(1))
        _settle(run, width)
        epoch, centers = _resumed(run, width) or (0, first_centers(run, width, begin))
        sample, interrupted = _passes(run, centers, epoch, keep)
        drawn, strata = sample.drawn(centers.time, width), centers.summary(interrupted)
        lloyd = _lloyd(run, centers.origin)
        start = merged(run, _candidates(run, strata, drawn, centers.origin), lloyd, merge)
        found = refined(run, start.centers, drawn, strata, lloyd, refine)
        run.report("train:msd", found.msd)
        sought = None if run.stop else sought
        curve = elbow(drawn.rows, centers.origin, sought, bend) if sought else None
    positions = (found.centers + centers.origin).astype(np.float32)
    return KMeansModel(positions, run.params, found.counts, curve)


class _Hurry:
    """Whether it is some time ago that the training was asked to end.

    A platform kills what does not end: SageMaker after 120 seconds.
    """

    def __init__(self, run: KMeansRun) -> None:
        self._run = run
        self._since: float | None = None

    def __call__(self) -> bool:
        if not self._run.stop:
            return False
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        return now - self._since >= _GRACE_SECONDS


def _lloyd(run: KMeansRun, origin: Floats) -> Lloyd:
    params = run.params
    return Lloyd(params.local_lloyd_max_iter, params.local_lloyd_tol, origin, _Hurry(run))


def _settle(run: KMeansRun, width: int) -> None:
    params = run.params
    factor, trials = params.extra_center_factor, params.local_lloyd_num_trials
    if factor == "auto":
        wanted = min(max(_ALL_EXTRA // params.k, _FEWEST_EXTRA), _MOST_EXTRA)
        factor = max(1, min(wanted, _CENTERS_SIZE // (params.k * width)))
    if trials == "auto":
        trials = min(max(_ALL_TRIED // params.k, _FEWEST_TRIALS), _MOST_TRIALS)
    run.resolved(extra_center_factor=factor, local_lloyd_num_trials=trials)


def _resumed(run: KMeansRun, width: int) -> tuple[int, ExtraCenters] | None:
    """The next epoch and the centers of a training that was killed."""
    latest = run.checkpoints.latest() if run.cluster.is_leader else None
    epoch = run.cluster.broadcast(latest[0] if latest else None)
    if epoch is None:
        return None
    run.log(f"going on from the checkpoint after epoch {epoch}")
    state, half_life = latest[1] if latest else None, run.params.half_life_time_size
    return epoch, ExtraCenters.resumed(state, width, half_life, run.cluster)


def _passes(
    run: KMeansRun, centers: ExtraCenters, epoch: int, rng: np.random.Generator
) -> tuple[Sample, bool]:
    """The epochs from this one on: the last one's sample, and whether it was cut short."""
    size = _sample_rows(run, len(centers.origin))
    started, before = time.perf_counter(), centers.time
    draws = rng.spawn(run.cluster.size)[run.cluster.rank]
    while True:
        # Only the last epoch's sample is used: all may draw the same
        sample = Sample(size, run.params.half_life_time_size, deepcopy(draws))
        interrupted = _epoch(run, epoch, centers, sample)
        epoch += 1
        run.progress(min(100, 100 * epoch / run.params.epochs))
        run.throughput((centers.time - before) / (time.perf_counter() - started))
        if interrupted or epoch >= run.params.epochs:
            return sample, interrupted
        centers.next_epoch()
        run.checkpoints.save(epoch, centers.save)


def _sample_rows(run: KMeansRun, width: int) -> int:
    """How many rows the sample holds; of wide ones, as many as have room."""
    wanted = max(_SAMPLE_ROWS, _SAMPLE_ROWS_A_CLUSTER * run.params.k)
    first, numbers = run.train.sample(run.params.mini_batch_size), float(width)
    if first.rows and not isinstance(first.features, np.ndarray):
        # Each comes with its column
        numbers = max(1.0, 2 * first.features.nnz / first.rows)
    return min(wanted, max(1, int(_SAMPLE_SIZE / numbers)))


def _epoch(run: KMeansRun, epoch: int, centers: ExtraCenters, sample: Sample) -> bool:
    """One pass over train; True if it was cut short."""
    batches = run.train.batches(run.params.mini_batch_size, epoch)
    while True:
        batch = next(batches, None)
        # Hosts that have no rows left go on adding nothing
        rows, stop = run.cluster.all_reduce(np.array([batch.rows if batch else 0, run.stop]))
        if not rows:
            return False
        _mini_batch(run, batch, int(rows), centers, sample)
        if stop:
            return True


def _mini_batch(
    run: KMeansRun, batch: Batch | None, rows: int, centers: ExtraCenters, sample: Sample
) -> None:
    """Move the centers. rows: those of all hosts' batches."""
    chunks = Rows(np.zeros((0, len(centers.origin)), np.float32))
    if batch:
        features = features_of(batch, len(centers.origin), run.train.name)
        chunks = Rows(features, batch.weights)
    tally = tallied(chunks.chunks(), centers.positions, centers.origin, ordered_map)
    if batch:
        sample.add(chunks, tally.labels, centers.time)
    _move(run, centers, tally.over(run.cluster), rows)


def _move(run: KMeansRun, centers: ExtraCenters, tally: Tally, rows: int) -> None:
    if not np.isfinite(tally.loss):
        raise CallerError.of(
            f"channel {run.train.name}",
            f"numbers must be below {_LARGEST:g}, so that float32 holds their squares",
            remedy="Bring the features to a common scale.",
        )
    centers.move(tally, rows)


def _candidates(
    run: KMeansRun, strata: tuple[Doubles, Doubles], drawn: Drawn, origin: Floats
) -> Rows:
    """What is merged: the extra centers that stand for rows, or the sample if those are too few."""
    means, weights = strata
    if not weights.any():
        raise CallerError.of("channel train", "some row must have a weight above 0")
    live = weights > 0
    if live.sum() < run.params.k and drawn.rows.count:
        return drawn.rows
    return Rows((means[live] + origin).astype(np.float32), weights[live])
