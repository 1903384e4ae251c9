"""`clary train`: one training on this machine, watched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from clary.algorithms import declaration, names
from clary.cli import options
from clary.cli.progress import watching
from clary.cli.terminal import answer, answer_json, answer_table, shown
from clary.data.sources import Source
from clary.errors import CallerError
from clary.runtime.launch import Trained, Training, launch
from clary.spec.channels import ChannelSpec, Distribution, InputMode
from clary.spec.hyperparameters import INTERNAL
from clary.spec.render import help_text

_MODES = ("File", "FastFile", "Pipe")
_METRICS_SHOWN = 14


class _Train(click.Command):
    """`clary train kmeans --help` goes on with the hyperparameters of k-means."""

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_help(ctx, formatter)
        for word in ctx.obj or ():
            if word.replace("_", "-") in names():
                formatter.write("\n" + help_text(declaration(word), formatter.width) + "\n")
                return


@click.command(cls=_Train)
@options.algorithm
@click.option("--train", metavar="PATH", help="Data to train on: file, folder or s3:// prefix.")
@click.option("--validation", metavar="PATH", help="Data to choose by while training.")
@click.option("--test", metavar="PATH", help="Data to score the final model on.")
@click.option("--channel", metavar="NAME=PATH", multiple=True, help="Any other channel.")
@click.option(
    "--content-type",
    metavar="[NAME=]TYPE",
    multiple=True,
    help="Content type of all channels, or of the one named.  [their first bytes]",
)
@click.option("--input-mode", type=click.Choice(_MODES), default="File", show_default=True)
@click.option("-p", "given", metavar="NAME=VALUE", multiple=True, help="A hyperparameter.")
@click.option(
    "--hosts",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Processes that train together.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--checkpoints", type=options.FOLDER, help="Folder to go on from.")
@click.option("--instance-type", metavar="ml.…", help="For the report's estimate of costs.")
@click.option("--elbow", metavar="FROM..TO", help="k-means: the elbow curve over these k.")
@click.option(
    "--output",
    required=True,
    type=options.FOLDER,
    help="Folder for model.tar.gz, metrics.json, report.html and train.log.",
)
@options.as_json
def train(
    algorithm: str,
    train: str | None,
    validation: str | None,
    test: str | None,
    channel: tuple[str, ...],
    content_type: tuple[str, ...],
    input_mode: InputMode,
    given: tuple[str, ...],
    hosts: int,
    seed: int,
    checkpoints: Path | None,
    instance_type: str | None,
    elbow: str | None,
    output: Path,
    as_json: bool,
) -> None:
    """Train ALGORITHM. With its name before --help its hyperparameters are listed too."""
    named = {"train": train, "validation": validation, "test": test}
    paths = {name: path for name, path in named.items() if path} | options.pairs(
        "--channel", channel
    )
    training = Training(
        algorithm=declaration(algorithm).name,
        hyperparameters=_seeded(algorithm, options.pairs("-p", given), seed),
        sources=_sources(algorithm, paths, content_type, input_mode, hosts),
        output=output,
        hosts=hosts,
        seed=seed,
        checkpoints=checkpoints,
        instance_type=instance_type,
        options={"elbow": elbow} if elbow else {},
    )
    with watching(training.algorithm) as watcher:
        trained = launch(training, watcher)
    _tell(trained, as_json)


def _seeded(algorithm: str, hyperparameters: dict[str, Any], seed: int) -> dict[str, Any]:
    """Where the seed is a hyperparameter, as XGBoost's, --seed sets it too."""
    if seed and "seed" in declaration(algorithm).hyperparameters.declared():
        return {"seed": str(seed), **hyperparameters}
    return hyperparameters


def _sources(
    algorithm: str,
    paths: Mapping[str, str],
    content_types: Sequence[str],
    input_mode: InputMode,
    hosts: int,
) -> list[Source]:
    """The channels; with several hosts each gets its share of what may be shared out."""
    named, common = _content_types(content_types, paths)
    declared = {one.name: one for one in declaration(algorithm).channels}
    return [
        Source(
            name,
            path,
            input_mode="File" if name == "model" else input_mode,
            distribution=_distribution(declared.get(name), hosts),
            content_type=None if name == "model" else named.get(name, common),
        )
        for name, path in paths.items()
    ]


def _distribution(channel: ChannelSpec | None, hosts: int) -> Distribution:
    """Shares where there are several hosts, or where the channel comes in shares only."""
    if channel is None:
        return "FullyReplicated"
    wanted: Distribution = "ShardedByS3Key" if hosts > 1 else "FullyReplicated"
    return wanted if wanted in channel.distribution else channel.distribution[0]


def _content_types(
    given: Sequence[str], paths: Mapping[str, str]
) -> tuple[dict[str, str], str | None]:
    """Types by channel, and the one for all others. `train=text/csv` names a channel."""
    named, common = {}, None
    for text in given:
        name, equals, value = text.partition("=")
        if equals and "/" not in name and ";" not in name:
            if name not in paths:
                raise CallerError.of("--content-type", "names a channel that is not given", name)
            named[name] = value
        else:
            common = text
    return named, common


def _tell(trained: Trained, as_json: bool) -> None:
    told = {
        "model": str(trained.model),
        "report": str(trained.report),
        "metrics": dict(trained.metrics),
        "seconds": dict(trained.seconds),
        "stopped": trained.stopped,
    }
    if as_json:
        return answer_json(told)
    answer_table(("metric", "value"), list(_scores(trained)))
    seconds = ", ".join(f"{name} {value:.2f}" for name, value in trained.seconds.items())
    answer(f"\nmodel    {trained.model}\nreport   {trained.report}\nseconds  {seconds}")
    return answer("stopped early: this is what there was") if trained.stopped else None


def _scores(trained: Trained) -> Iterator[tuple[str, str]]:
    """Held-out scores first; what only tells of the work is left to metrics.json."""
    order = {"test": 0, "validation": 1, "train": 2}
    quality = {
        name: value
        for name, value in trained.metrics.items()
        if name not in {"train:progress", "train:throughput", *INTERNAL}
    }
    for name in sorted(quality, key=lambda n: order.get(n.partition(":")[0], 3))[:_METRICS_SHOWN]:
        yield name, shown(quality[name])
