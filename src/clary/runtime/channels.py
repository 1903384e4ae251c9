"""The channels of a tree: checked against the declaration, opened, and told of afterwards."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from clary.algorithms import model_class
from clary.codecs.batch import Batch
from clary.data.channel import Channel
from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.data.intake import DecodedChannel
from clary.data.pipes import PipeChannel
from clary.errors import CallerError, Fault, raise_all
from clary.kit.cluster import Cluster
from clary.runtime.config import ChannelConfig
from clary.runtime.interruption import Interruption, StoppableChannel
from clary.runtime.layout import Layout
from clary.runtime.models import MANIFEST, manifest_of
from clary.runtime.report import ChannelFacts
from clary.spec.algorithm import Algorithm
from clary.spec.hyperparameters import Hyperparameters
from clary.storage.artifact import unpack

# The channel of an earlier model.tar.gz to go on from
MODEL = "model"

_HELD_OUT_ROWS = 20_000
_HELD_OUT_BYTES = 32 << 20
_HELD_OUT_DENSE_BYTES = 256 << 20
_FIRST_LOOK_ROWS = 100


class Channels:
    """The opened channels of one training.

    `rows` are those of data, by name, as the Run gets them.
    """

    def __init__(self, configs: Mapping[str, ChannelConfig], opened: Mapping[str, DecodedChannel]):
        self._configs = configs
        self._opened = opened
        self.rows: dict[str, Channel] = dict(opened)

    def stoppable(self, interruption: Interruption) -> None:
        """Let epochs end early when the training is to end.

        Not on several hosts, which must read as many batches as each other expects.
        """
        for name, channel in self._opened.items():
            self.rows[name] = StoppableChannel(channel, interruption)

    def held_out(self) -> Batch | None:
        """First rows of the best channel to try a model on, kept back before it is read."""
        for name in ("test", "validation", "train"):
            if name in self.rows:
                return _sample(self.rows[name])
        return None

    def described(self) -> list[str]:
        """A line for the log on each."""
        return [f"channel {name}: {one.intake}" for name, one in self._opened.items()]

    def is_sharded(self, name: str) -> bool:
        return self._configs[name].distribution == "ShardedByS3Key"

    def facts(self, cluster: Cluster, widths: Mapping[str, int]) -> dict[str, ChannelFacts]:
        """What all hosts read; every host must ask."""
        found = {}
        for name, channel in self._opened.items():
            config, intake = self._configs[name], channel.intake
            counts = [intake.rows, intake.bytes, intake.files or 0, widths[name]]
            parts = np.concatenate(cluster.gather(np.array([counts])))
            rows, size, files, _ = parts.sum(axis=0) if self.is_sharded(name) else parts[0]
            found[name] = ChannelFacts(
                rows=int(rows),
                width=int(parts[:, 3].max()),
                bytes=int(size),
                files=int(files),
                content_type=intake.content_type,
                input_mode=config.input_mode,
                source=config.uri,
            )
        return found

    def seconds(self) -> float:
        """Spent on reading and decoding."""
        return sum(channel.intake.seconds for channel in self._opened.values())


def check_channels(algorithm: Algorithm, configs: Mapping[str, ChannelConfig]) -> None:
    """Refuse channels that the algorithm does not have, or not so.

    Raises:
        CallerError: with every fault at once.
    """
    declared = {channel.name: channel for channel in algorithm.channels}
    raise_all(
        [
            *(
                Fault(f"channel {name}", "is required and was not given", remedy=channel.about)
                for name, channel in declared.items()
                if channel.required and name not in configs
            ),
            *(fault for name, one in configs.items() for fault in _faults(algorithm, name, one)),
        ]
    )


@contextmanager
def opened(
    algorithm: Algorithm,
    params: Hyperparameters,
    configs: Mapping[str, ChannelConfig],
    layout: Layout,
    interruption: Interruption,
) -> Iterator[Channels]:
    """The tree's channels of data, while the block lasts.

    Raises:
        CallerError: one has no data, or not of its content type.
        Stopped: the training is to end before all were there.
    """
    values = params.values()
    # The linear learner may be told `auto`
    width = values["feature_dim"] if isinstance(values.get("feature_dim"), int) else None
    weights = bool(values.get("csv_weights"))
    channels: dict[str, DecodedChannel] = {}
    with ExitStack() as stack:
        for name, config in configs.items():
            if name == MODEL:
                continue
            spec, one_width = algorithm.channel(name), "feature_dim" in values
            contents = Contents(spec, config.content_type, width, weights, one_width)
            with interruption.waiting():
                if config.input_mode == "Pipe":
                    pipe = PipeChannel(name, layout.data, contents, config.record_wrapper)
                    channels[name] = stack.enter_context(closing(pipe))
                else:
                    folder = layout.channel(name)
                    channels[name] = FolderChannel(name, folder, contents, config.shuffle_seed)
                channels[name].sharded = config.distribution == "ShardedByS3Key"
        yield Channels(configs, channels)


@contextmanager
def initial_model(
    algorithm: Algorithm, configs: Mapping[str, ChannelConfig], layout: Layout
) -> Iterator[Path | None]:
    """The folder of the model to go on from, unpacked if it came as an archive.

    Raises:
        CallerError: there is nothing, it is damaged, or another algorithm's.
    """
    if MODEL not in configs:
        yield None
        return
    folder = layout.channel(MODEL)
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    if not files:
        raise CallerError.of(f"channel {MODEL}", "there are no files", str(folder))
    archives = [file for file in files if file.name.endswith(".tar.gz")]
    if (folder / MANIFEST).exists() or not archives:
        yield _own(algorithm, folder)
        return
    # A training's output folder may have output.tar.gz, too
    archive = next((one for one in archives if one.name == "model.tar.gz"), archives[0])
    with TemporaryDirectory(prefix="clary-model-") as scratch:
        unpack(archive, Path(scratch) / MODEL)
        yield _own(algorithm, Path(scratch) / MODEL)


def _own(algorithm: Algorithm, folder: Path) -> Path:
    """The folder, which must hold a model of the algorithm."""
    own = manifest_of(folder, f"channel {MODEL}", algorithm.name)
    if own or model_class(algorithm).recognizes(folder):
        return folder
    found = ", ".join(sorted(each.name for each in folder.iterdir())[:5])
    rule = f"must hold a model of {algorithm.name}"
    raise CallerError.of(f"channel {MODEL}", rule, found or "an empty archive")


def _faults(algorithm: Algorithm, name: str, config: ChannelConfig) -> Iterator[Fault]:
    thing = f"channel {name}"
    declared = {channel.name: channel for channel in algorithm.channels}
    if name == MODEL and algorithm.incremental:
        if config.input_mode == "Pipe":
            yield Fault(thing, "an earlier model comes in the input mode File", config.input_mode)
        return
    if name not in declared:
        known = [*declared, MODEL] if algorithm.incremental else [*declared]
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        rule = f"{algorithm.name} has no such channel"
        yield Fault(thing, rule, remedy=f"{hint}Known: {', '.join(known)}.")
        return
    channel = declared[name]
    if config.input_mode not in channel.modes:
        yield Fault(thing, f"takes the input modes {', '.join(channel.modes)}", config.input_mode)
    if config.distribution not in channel.distribution:
        yield Fault(thing, f"must be {' or '.join(channel.distribution)}", config.distribution)


def _sample(channel: Channel) -> Batch | None:
    look = channel.sample(_FIRST_LOOK_ROWS)
    rows = min(
        _HELD_OUT_ROWS,
        _HELD_OUT_BYTES * look.rows // max(look.nbytes, 1),
        _HELD_OUT_DENSE_BYTES // (4 * max(look.width, 1)),
    )
    return channel.sample(max(rows, 1)) if look.rows else None
