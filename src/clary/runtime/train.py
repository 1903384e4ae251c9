"""The `train` entry point: one training, in the tree of the container contract.

The algorithm is the first argument, else CLARY_ALGORITHM: on SageMaker the image decides.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from time import perf_counter
from typing import Any

from clary import settings
from clary.algorithms import declaration, fit_of
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.errors import CallerError, Fault, raise_all
from clary.kit.cluster import Cluster, LostHost
from clary.kit.model import Model
from clary.kit.run import Checkpoints, NoCheckpoints, Run
from clary.runtime.channels import Channels, check_channels, initial_model, opened
from clary.runtime.checkpoint import FolderCheckpoints, FollowersCheckpoints
from clary.runtime.config import Config, Resources, read_config
from clary.runtime.evaluation import evaluated
from clary.runtime.failure import DONE, OUR_FAULT, exit_code, failure_text, write_failure
from clary.runtime.interruption import Interruption, Stopped
from clary.runtime.layout import Layout
from clary.runtime.log import Log
from clary.runtime.report import ChannelFacts, Report
from clary.runtime.results import write_metrics, write_model, write_report
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameters import Hyperparameters

# Where hosts meet on the first of them, if nothing else is said
_PORT = 9099


@dataclass(frozen=True)
class Job:
    """What is to be done that the tree does not say.

    rendezvous: `host:port` of the first host, where several meet.
    options: what is asked for beyond hyperparameters, by name.
    """

    algorithm: str
    seed: int = 0
    rendezvous: str | None = None
    options: Mapping[str, str] = field(default_factory=dict)


def main() -> None:
    """Entry point. Exit 0 done, 1 the user can fix it, 2 our fault."""
    layout, log, interruption = Layout(settings.ml_root()), Log(sys.stdout), Interruption()
    code = DONE
    try:
        layout.failure.unlink(missing_ok=True)
        with interruption.listening():
            train(_job(sys.argv[1:]), layout, log, interruption)
    except Stopped:
        log.write("Stopped before there was a model")
    except Exception as error:
        if isinstance(error, LostHost) and interruption.stopping.is_set():
            log.write(f"Stopped before there was a model: {error}")
        else:
            code = _failed(error, layout, log)
    sys.exit(code)


def train(job: Job, layout: Layout, log: Log, interruption: Interruption) -> None:
    """Train in a tree: read its configuration and channels; leave model, metrics and report there.

    On several hosts each is a process that calls this in a tree of its own; the first one writes.

    Raises:
        CallerError: the user can mend it.
        Stopped: asked to end before there was anything to keep.
        LostHost: another host died.
    """
    started, clock = datetime.now().astimezone(), perf_counter()
    layout.make()
    order = _ordered(job, layout, log)
    channel_configs, resources = order.config.channels, order.config.resources
    with (
        opened(order.algorithm, order.params, channel_configs, layout, interruption) as channels,
        initial_model(order.algorithm, channel_configs, layout) as earlier,
        _cluster(resources, job.rendezvous, layout) as cluster,
    ):
        if cluster.size == 1:
            channels.stoppable(interruption)
        run: Run[Any] = Run(
            order.algorithm,
            order.params,
            channels.rows,
            seed=job.seed,
            cluster=cluster,
            reporter=log,
            checkpoints=_checkpoints(order.algorithm, cluster, layout),
            initial_model=earlier,
            output=layout.output_data,
            stopping=interruption.stopping,
            options=job.options,
        )
        outcome = _trained(run, channels, layout)
    if resources.is_leader:
        seconds = _seconds(perf_counter() - clock, channels.seconds(), outcome.write_seconds)
        report = _report(order, run, outcome, log, started, seconds)
        write_metrics(report, layout.output_data)
        _show(report, outcome, run, layout)


def check_options(algorithm: Algorithm, options: Mapping[str, str]) -> None:
    """Refuse what the algorithm cannot be asked for.

    Raises:
        CallerError: with every fault at once.
    """
    raise_all(
        Fault(f"option {name}", f"{algorithm.name} has no such option")
        for name in options
        if name not in algorithm.options
    )


@dataclass(frozen=True)
class _Order:
    """What the tree says is to be done, checked against the declaration."""

    algorithm: Algorithm
    config: Config
    params: Hyperparameters


def _ordered(job: Job, layout: Layout, log: Log) -> _Order:
    algorithm, config = declaration(job.algorithm), read_config(layout)
    params = algorithm.hyperparameters.parse(config.hyperparameters)
    check_channels(algorithm, config.channels)
    check_options(algorithm, job.options)
    if config.resources.is_leader:
        log.start(config.hyperparameters, params)
    return _Order(algorithm, config, params)


@dataclass(frozen=True)
class _Outcome:
    model: Model
    channels: Mapping[str, ChannelFacts]
    held_out: Batch | None
    write_seconds: float


def _trained(run: Run[Any], channels: Channels, layout: Layout) -> _Outcome:
    """Fit, write, and score, on every host."""
    if run.stopped_anywhere():
        raise Stopped
    for line in channels.described():
        run.log(line)
    _check_widths(run.channels)
    widths = {name: channel.width for name, channel in run.channels.items()}
    held_out = channels.held_out() if run.cluster.is_leader else None
    model = fit_of(run.algorithm)(run)
    write_seconds = 0.0
    if run.cluster.is_leader:
        began = perf_counter()
        write_model(model, layout.model)
        write_seconds = perf_counter() - began
    if "test" in run.channels and not run.stopped_anywhere():
        scores = evaluated(model, run.channels["test"], run.cluster, channels.is_sharded("test"))
        _report_scores(run, scores, model)
    return _Outcome(model, channels.facts(run.cluster, widths), held_out, write_seconds)


def _check_widths(channels: Mapping[str, Channel]) -> None:
    """Refuse channels of another width than train; rows of sparse formats may be narrower."""
    train = channels["train"].sample(1)
    for name, channel in channels.items():
        rows = channel.sample(1)
        dense = rows.rows and train.rows and not rows.is_sparse and not train.is_sparse
        if dense and rows.width != train.width:
            rule = f"must have {train.width} features a row, as train has"
            raise CallerError.of(f"channel {name}", rule, rows.width)


def _report_scores(run: Run[Any], scores: Mapping[str, float], model: Model) -> None:
    for name, value in scores.items():
        run.report(name, value, **model.metric_fields())
    for remark in model.remarks():
        run.log(remark)
    for name, value in scores.items():
        run.log(f"#test_score ({run.cluster.host}) : {(name.removeprefix('test:'), float(value))}")


def _seconds(total: float, read: float, write: float) -> dict[str, float]:
    return {"total": total, "read": read, "train": total - read - write, "write": write}


def _report(
    order: _Order,
    run: Run[Any],
    outcome: _Outcome,
    log: Log,
    started: datetime,
    seconds: Mapping[str, float],
) -> Report:
    """What is told of the training, still without pictures."""
    return Report(
        algorithm=order.algorithm,
        given=order.params.given(),
        settled=outcome.model.params.values(),
        channels=outcome.channels,
        history=log.history,
        figures=(),
        summary={},
        seconds=seconds,
        started=started,
        hosts=run.cluster.size,
        instance_type=order.config.resources.instance_type,
        seed=run.seed,
    )


def _show(report: Report, outcome: _Outcome, run: Run[Any], layout: Layout) -> None:
    """Write the page; a fault in a picture costs the pictures, not the model."""
    try:
        shown = replace(
            report,
            figures=outcome.model.figures(outcome.held_out),
            curves=run.notes.get("curves", ()),
            summary=outcome.model.summary(),
        )
        write_report(shown, layout.output_data)
    except CallerError:
        raise
    except Exception:
        run.log(f"the report goes without pictures: {traceback.format_exc()}")
        write_report(report, layout.output_data)


def _cluster(resources: Resources, rendezvous: str | None, layout: Layout) -> Cluster:
    host, hosts = resources.current_host, resources.hosts
    if len(hosts) == 1:
        return Cluster(host, hosts)
    # Here, because XGBoost takes seconds to import
    from clary.kit.hosts import Hosts
    from clary.kit.rendezvous import Rendezvous

    def stuck(lost: LostHost) -> None:
        write_failure(layout, lost)
        os._exit(OUR_FAULT)

    return Hosts(Rendezvous(host, hosts, rendezvous or f"{hosts[0]}:{_PORT}"), stuck)


def _checkpoints(algorithm: Algorithm, cluster: Cluster, layout: Layout) -> Checkpoints:
    folder, name = layout.checkpoints, algorithm.name
    own = FolderCheckpoints(folder, name) if folder.is_dir() else NoCheckpoints()
    if cluster.size == 1:
        return own
    newest = own.latest() if cluster.is_leader else None
    step = cluster.broadcast(newest[0] if newest else None)
    return own if cluster.is_leader else FollowersCheckpoints(folder, name, step)


def _job(arguments: Sequence[str]) -> Job:
    name = arguments[0] if arguments else settings.algorithm()
    if not name or len(arguments) > 1:
        raise CallerError.of(
            "train",
            "takes the algorithm as its one argument or from CLARY_ALGORITHM",
            " ".join(arguments) or "neither",
        )
    return Job(name, settings.seed(), settings.rendezvous(), settings.options())


def _failed(error: Exception, layout: Layout, log: Log) -> int:
    """Leave the reason in the log and in the failure file; the exit code."""
    code = exit_code(error)
    if code == OUR_FAULT:
        log.write("".join(traceback.format_exception(error)), "ERROR")
    log.write(failure_text(error), "ERROR")
    write_failure(layout, error)
    return code


if __name__ == "__main__":
    main()
