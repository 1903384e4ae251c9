"""Starts a training on this machine, as a platform would: trees laid out, `train` run in each.

One host runs in this very process; several are processes of their own.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any, Literal, TextIO, TypeAlias

from clary.algorithms import declaration
from clary.data.sources import Source
from clary.data.staging import stage
from clary.errors import CallerError, Fault, raise_all
from clary.kit.run import Reporter
from clary.runtime.channels import check_channels
from clary.runtime.config import ChannelConfig, Resources, write_config
from clary.runtime.failure import failure_text
from clary.runtime.host_processes import train_on_hosts
from clary.runtime.interruption import Interruption, Stopped
from clary.runtime.layout import Layout
from clary.runtime.log import Log
from clary.runtime.results import METRICS, REPORT, write_json
from clary.runtime.train import Job, check_options, train
from clary.spec.algorithm import Algorithm
from clary.storage.artifact import pack
from clary.storage.folder import disk_full_explained, temporary_sibling
from clary.storage.location import Stores

Phase: TypeAlias = Literal["Downloading", "Training", "Uploading"]
ARTIFACT, OUTPUT, LOG = "model.tar.gz", "output.tar.gz", "train.log"


@dataclass(frozen=True)
class Training:
    """A training to be run.

    sources: its channels; one named `model` is an earlier model to go on from.
    output: folder for model.tar.gz, metrics.json, report.html and train.log; what else the
        algorithm leaves becomes output.tar.gz.
    checkpoints: folder that keeps states, to go on from after a kill.
    instance_type: for the report's table of costs.
    options: what is asked for beyond hyperparameters, by name.
    """

    algorithm: str
    hyperparameters: Mapping[str, Any]
    sources: Sequence[Source]
    output: Path
    hosts: int = 1
    seed: int = 0
    checkpoints: Path | None = None
    instance_type: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Trained:
    """What came out.

    metrics: the last value of each; None where it is no finite number.
    seconds: `total`, `read`, `train`, `write`.
    stopped: it was asked to end early, and this is what it had.
    """

    model: Path
    report: Path
    metrics: Mapping[str, float | None]
    seconds: Mapping[str, float]
    stopped: bool


def launch(
    training: Training,
    listener: Reporter | None = None,
    *,
    stores: Stores | None = None,
    log_to: TextIO | None = None,
    entered: Callable[[Phase], None] = lambda phase: None,
) -> Trained:
    """Train, and put the results into the output folder once all of them are there.

    stores: where the sources are. log_to: takes the log in place of train.log. entered: is told
    of each phase as it begins.

    SIGTERM and Ctrl-C end the training with what it has, if this is the main thread. After a
    failure the output folder is as it was, but for train.log.

    Raises:
        CallerError: the user can mend it, or it was stopped before there was a model.
        TrainingFailed: one of several hosts failed for another reason.
    """
    clock, interruption = perf_counter(), Interruption()
    check(training)
    with (
        interruption.listening(),
        TemporaryDirectory(prefix="clary-train-") as scratch,
        _log(training.output, listener, log_to) as log,
        ExitStack() as stack,
    ):
        entered("Downloading")
        layouts = _laid_out(training, Path(scratch), stack, stores)
        leader = next(iter(layouts.values()))
        staged = perf_counter() - clock
        entered("Training")
        _train(training, layouts, log, interruption)
        entered("Uploading")
        return _delivered(leader, training.output, clock, staged, interruption)


def check(training: Training) -> None:
    """Refuse what can be refused before anything is read or written.

    Raises:
        CallerError: with every fault of the first kind found.
    """
    algorithm = declaration(training.algorithm)
    algorithm.hyperparameters.parse(training.hyperparameters)
    raise_all(_faults(training, algorithm))
    check_channels(
        algorithm,
        {
            source.channel: ChannelConfig(
                input_mode=source.input_mode, distribution=source.distribution
            )
            for source in training.sources
        },
    )
    check_options(algorithm, training.options)


def _faults(training: Training, algorithm: Algorithm) -> Iterator[Fault]:
    if training.hosts < 1:
        yield Fault("hosts", "must be at least 1", training.hosts)
    if training.hosts > 1 and not algorithm.hardware.multi_instance:
        yield Fault("hosts", f"{algorithm.name} trains on one host", training.hosts)
    names = [source.channel for source in training.sources]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(f"channel {name}", "was given twice")


@contextmanager
def _log(output: Path, listener: Reporter | None, log_to: TextIO | None) -> Iterator[Log]:
    """The log, in the output folder if nowhere else, written as the training goes, its failure
    included.
    """
    try:
        output.mkdir(parents=True, exist_ok=True)
        stream = nullcontext(log_to) if log_to else (output / LOG).open("w", encoding="utf-8")
    except OSError as error:
        raise CallerError.of(f"output {output}", f"cannot be used: {error.strerror}") from error
    with disk_full_explained(output / LOG), stream as lines:
        log = Log(lines, listener)
        try:
            yield log
        except Exception as error:
            with suppress(OSError):
                log.write(failure_text(error), "ERROR")
            raise


def _laid_out(
    training: Training, scratch: Path, stack: ExitStack, stores: Stores | None
) -> dict[str, Layout]:
    """A tree for each host, its data in place until the stack is closed."""
    hosts = tuple(sorted(f"algo-{number + 1}" for number in range(training.hosts)))
    layouts = {host: Layout(scratch / host) for host in hosts}
    for rank, (host, layout) in enumerate(layouts.items()):
        layout.make()
        resources = Resources(host, hosts, training.instance_type)
        write_config(layout, training.hyperparameters, training.sources, resources)
        for source in training.sources:
            staged = stage(source, layout.data, rank=rank, hosts=len(hosts), stores=stores)
            stack.enter_context(staged)
        if training.checkpoints:
            training.checkpoints.mkdir(parents=True, exist_ok=True)
            layout.checkpoints.symlink_to(training.checkpoints.resolve())
    return layouts


def _train(
    training: Training, layouts: Mapping[str, Layout], log: Log, interruption: Interruption
) -> None:
    job = Job(training.algorithm, training.seed, options=training.options)
    try:
        if len(layouts) == 1:
            (layout,) = layouts.values()
            train(job, layout, log, interruption)
        else:
            train_on_hosts(job, layouts, log, interruption)
    except Stopped:
        raise CallerError.of("training", "was stopped before there was a model") from None


def _delivered(
    layout: Layout, output: Path, clock: float, staged: float, interruption: Interruption
) -> Trained:
    """The results, whole, in the output folder; what an earlier training left there goes."""
    began = perf_counter()
    partial = temporary_sibling(output / ARTIFACT)
    try:
        with disk_full_explained(output):
            partial.mkdir()
            pack(layout.model, partial / ARTIFACT)
            told = json.loads((layout.output_data / METRICS).read_text())
            (layout.output_data / METRICS).unlink()
            shutil.move(layout.output_data / REPORT, partial / REPORT)
            if any(layout.output_data.iterdir()):
                pack(layout.output_data, partial / OUTPUT)
            seconds = told["seconds"]
            seconds["read"] += staged
            seconds["write"] += perf_counter() - began
            seconds["total"] = perf_counter() - clock
            write_json(partial / METRICS, told)
        (output / OUTPUT).unlink(missing_ok=True)
        for each in partial.iterdir():
            each.replace(output / each.name)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return Trained(
        model=output / ARTIFACT,
        report=output / REPORT,
        metrics={name: one["last"] for name, one in told["metrics"].items()},
        seconds=seconds,
        stopped=interruption.stopping.is_set(),
    )
