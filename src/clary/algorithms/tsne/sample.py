"""The rows that make the map, drawn from those of all hosts in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from clary.algorithms.tsne.spec import TSNEHyperparameters
from clary.algorithms.tsne.tree import Integers
from clary.codecs.batch import Batch, Features, Floats, concatenate
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from clary.kit.gathering import gathered
from clary.kit.run import Run
from clary.kit.width import features_of

TSNERun = Run[TSNEHyperparameters]

READ_ROWS = 4096
FEWEST_ROWS = 4
# How far what is held may outgrow the sample before it is cut back
_SLACK = 1.5


@dataclass(frozen=True)
class Drawn:
    """The same on all hosts.

    features: (rows, width) and label: (rows,) or None, in the order of the rows' numbers.
    numbers: (rows,), each row's place among all. total: all rows.
    counts: the rows of each host; where all read the same, only those of the leader.
    """

    features: Features
    label: Floats | None
    numbers: Integers
    total: int
    counts: tuple[int, ...]

    @property
    def is_whole(self) -> bool:
        return len(self.numbers) == self.total

    def numbers_of_host(self, rank: int) -> range:
        """The numbers of a host's rows."""
        start = sum(self.counts[:rank])
        return range(start, start + self.counts[rank])


def draw(run: TSNERun, width: int, rng: np.random.Generator) -> Drawn:
    """Every row, or as many as `sample_size` says, each as likely as any other.

    Raises:
        CallerError: there are too few rows, they are not of one width, or only some have labels.
    """
    held = _Held(run.params.sample_size, rng.spawn(run.cluster.size)[run.cluster.rank])
    reads = run.cluster.is_leader or run.train.sharded
    for batch in run.train.batches(READ_ROWS) if reads else ():
        held.add(Batch(features_of(batch, width, run.train.name), colors(batch)))
        if run.stop:
            run.log(f"stopped after {held.seen} rows were read; the map is of these")
            break
    drawn = _together(run.cluster, held, width)
    if drawn.total < FEWEST_ROWS:
        rule = f"a map needs at least {FEWEST_ROWS} rows"
        raise CallerError.of("channel train", rule, drawn.total)
    return drawn


def colors(batch: Batch) -> Floats | None:
    """(rows,): the first label."""
    if batch.label is None or batch.label.ndim == 1:
        return batch.label
    return np.ascontiguousarray(batch.label[:, 0])


@dataclass
class _Held:
    """Rows of this host with the smallest of random keys."""

    size: int
    rng: np.random.Generator
    seen: int = 0
    rows: list[Batch] = field(default_factory=list)
    count: int = 0

    def add(self, batch: Batch) -> None:
        numbers = np.arange(self.seen, self.seen + batch.rows)
        keys = self.rng.random(batch.rows)
        self.rows.append(replace(batch, extras={"key": keys, "number": numbers}))
        self.seen += batch.rows
        self.count += batch.rows
        if self.count > _SLACK * self.size:
            self.rows = [self.kept()]
            self.count = self.rows[0].rows

    def kept(self) -> Batch:
        return _smallest(concatenate(self.rows), self.size)


def _together(cluster: Cluster, held: _Held, width: int) -> Drawn:
    """What is drawn of the rows that the hosts have kept."""
    mine = held.kept() if held.rows else _nothing(width)
    counts = tuple(int(part[0]) for part in cluster.gather(np.array([held.seen])))
    numbers = mine.extras["number"] + sum(counts[: cluster.rank])
    label = _gathered_labels(cluster, mine)
    everything = Batch(
        gathered(cluster, mine.features),
        label,
        extras={
            "key": np.concatenate(cluster.gather(mine.extras["key"])),
            "number": np.concatenate(cluster.gather(numbers)),
        },
    )
    chosen = _smallest(everything, held.size)
    return Drawn(chosen.features, chosen.label, chosen.extras["number"], sum(counts), counts)


def _smallest(rows: Batch, size: int) -> Batch:
    """The rows of the smallest keys, in their old order."""
    if rows.rows <= size:
        return rows
    kept = np.sort(np.argpartition(rows.extras["key"], size)[:size])
    return Batch(
        rows.features[kept],
        None if rows.label is None else rows.label[kept],
        extras={name: values[kept] for name, values in rows.extras.items()},
    )


def _nothing(width: int) -> Batch:
    extras = {"key": np.zeros(0), "number": np.zeros(0, np.int64)}
    return Batch(np.zeros((0, width), np.float32), extras=extras)


def _gathered_labels(cluster: Cluster, mine: Batch) -> Floats | None:
    label = np.zeros(0, np.float32) if mine.label is None else mine.label
    rows = sum(int(part[0]) for part in cluster.gather(np.array([mine.rows])))
    labels = np.concatenate(cluster.gather(label))
    if len(labels) not in {0, rows}:
        raise CallerError.of("label", "either every row has one or none has")
    return labels if len(labels) else None
