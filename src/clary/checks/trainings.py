"""Small trainings of one algorithm, each run once and remembered."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from clary import settings
from clary.checks.rows import column_rows, rows
from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, EXTENSIONS, parse_content_type
from clary.codecs.formats import encode
from clary.data.sources import Source
from clary.errors import CallerError
from clary.kit.model import Model
from clary.runtime.channels import MODEL
from clary.runtime.launch import Training, launch
from clary.runtime.models import load_model
from clary.spec.algorithm import Algorithm, Example
from clary.spec.channels import ChannelSpec, Distribution, InputMode

ROWS = 240
_HELD_OUT_ROWS = 90
_FILES = 2


@dataclass(frozen=True)
class Setting:
    """How a training differs from the plainest one.

    types: content types by channel, where they are not the usual one.
    told: whether the content types are told, not found by the first bytes.
    rows: of train.
    threads: None leaves them as they are.
    extra: hyperparameters beside those of the example.
    model: an earlier model to go on from.
    """

    types: tuple[tuple[str, str], ...] = ()
    told: bool = True
    input_mode: InputMode = "File"
    hosts: int = 1
    held_out: bool = True
    seed: int = 0
    rows: int = ROWS
    threads: int | None = None
    extra: tuple[tuple[str, Any], ...] = ()
    model: Path | None = None


PLAIN = Setting()


@dataclass(frozen=True)
class Outcome:
    """What a training left."""

    archive: Path
    log: str
    reported: Mapping[str, list[float]]
    model: Model

    @property
    def bytes(self) -> bytes:
        return self.archive.read_bytes()


@dataclass
class Trainings:
    """Trains examples of an algorithm below `folder`."""

    algorithm: Algorithm
    folder: Path
    done: dict[tuple[int, Setting], Outcome] = field(default_factory=dict)

    @property
    def first(self) -> Example:
        return self.algorithm.examples[0]

    @property
    def usual_type(self) -> str:
        """CSV where the algorithm takes it, since it says nothing of its own width or label."""
        types = types_of(self.algorithm.channel("train"))
        return CSV if CSV in types else types[0]

    def of(self, example: Example, setting: Setting = PLAIN) -> Outcome:
        """The outcome of an example in a setting."""
        key = (self.algorithm.examples.index(example), setting)
        if key not in self.done:
            self.done[key] = self.again(example, setting)
        return self.done[key]

    def again(self, example: Example, setting: Setting = PLAIN) -> Outcome:
        """As `of`, but trained anew."""
        channels = {
            one.name: self.rows_of(example, setting.rows if one.name == "train" else _HELD_OUT_ROWS)
            for one in self.algorithm.channels
            if one.name == "train" or setting.held_out
        }
        return self._trained(example, channels, setting)

    def refusal(
        self, channels: Mapping[str, Batch | bytes], setting: Setting = PLAIN
    ) -> str | None:
        """What training the first example on such channels is refused with, if it is.

        Raises:
            Exception: anything but a refusal that tells the user what to mend.
        """
        try:
            self._trained(self.first, channels, setting)
        except CallerError as refused:
            return str(refused)
        return None

    def rows_of(self, example: Example, count: int = _HELD_OUT_ROWS) -> Batch:
        """Rows labelled as the example wants them; those for training differ from the others."""
        first, columns = 0 if count >= ROWS else 1, self.algorithm.channel("train").columns
        if columns:
            return column_rows(columns, count, first=first)
        return rows(example.labels, count, first=first)

    def _trained(
        self, example: Example, channels: Mapping[str, Batch | bytes], setting: Setting
    ) -> Outcome:
        place = self.folder / str(len(list(self.folder.iterdir())))
        sources = []
        for name, contents in channels.items():
            kind = dict(setting.types).get(name, self.usual_type)
            contents = self._as_labelled(name, contents)
            write(place / name, contents, kind)
            told = _with_label_size(kind, contents) if setting.told else None
            sources.append(self._source(place / name, name, told, setting))
        if setting.model:
            sources.append(Source(MODEL, str(setting.model)))
        return self._launched(example, sources, place / "output", setting)

    def _as_labelled(self, name: str, contents: Batch | bytes) -> Batch | bytes:
        """Rows without their label where the channel takes none."""
        known = {one.name: one.label for one in self.algorithm.channels}
        if isinstance(contents, bytes) or known.get(name) != "none":
            return contents
        return replace(contents, label=None)

    def _source(self, folder: Path, name: str, told: str | None, setting: Setting) -> Source:
        distribution: Distribution = "ShardedByS3Key" if setting.hosts > 1 else "FullyReplicated"
        known = {one.name: one for one in self.algorithm.channels}
        if name in known and distribution not in known[name].distribution:
            distribution = known[name].distribution[0]
        mode = setting.input_mode
        return Source(name, str(folder), "S3Prefix", mode, distribution, content_type=told)

    def _launched(
        self, example: Example, sources: list[Source], output: Path, setting: Setting
    ) -> Outcome:
        listener = _Listener()
        training = Training(
            self.algorithm.name,
            {**example.hyperparameters, **dict(setting.extra)},
            sources,
            output,
            setting.hosts,
            setting.seed,
        )
        with ExitStack() as stack:
            if setting.threads:
                stack.enter_context(settings.threads_set(setting.threads))
                stack.enter_context(threadpool_limits(setting.threads))
            trained = launch(training, listener)
        log = (output / "train.log").read_text()
        return Outcome(trained.model, log, listener.reported, load_model(trained.model))


def types_of(channel: ChannelSpec) -> list[str]:
    """The content types of a channel by their canonical names, each once."""
    names = (parse_content_type(one).name for one in (*channel.content_types, *channel.beyond))
    return list(dict.fromkeys(names))


def text_of(batch: Batch, content_type: str) -> bytes:
    """The rows as one document."""
    out = BytesIO()
    encode([batch], out, parse_content_type(content_type))
    return out.getvalue()


def write(folder: Path, contents: Batch | bytes, content_type: str) -> None:
    """Rows as files of one format; bytes as one file."""
    folder.mkdir(parents=True)
    suffix = next(end for end, name in EXTENSIONS.items() if name == content_type)
    if isinstance(contents, bytes):
        (folder / f"part-0{suffix}").write_bytes(contents)
        return
    size = -(-contents.rows // _FILES)
    for number, start in enumerate(range(0, contents.rows, size)):
        part = contents.slice(start, min(start + size, contents.rows))
        (folder / f"part-{number}{suffix}").write_bytes(text_of(part, content_type))


def _with_label_size(content_type: str, contents: Batch | bytes) -> str:
    """CSV cannot tell several label columns from features."""
    label = contents.label if isinstance(contents, Batch) else None
    if content_type != CSV or label is None or label.ndim == 1:
        return content_type
    return f"{content_type};label_size={label.shape[1]}"


class _Listener:
    """Remembers what is reported."""

    def __init__(self) -> None:
        self.reported: dict[str, list[float]] = {}

    def log(self, line: str) -> None:
        return

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        self.reported.setdefault(name, []).append(value)
