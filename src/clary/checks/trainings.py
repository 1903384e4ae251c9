"""Small trainings of one algorithm, each run once and remembered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from clary.checks.rows import rows
from clary.codecs.batch import Batch
from clary.codecs.content_type import EXTENSIONS, parse_content_type
from clary.codecs.formats import encode
from clary.data.sources import Source
from clary.errors import CallerError
from clary.kit.model import Model
from clary.runtime.launch import Training, launch
from clary.runtime.models import load_model
from clary.spec.algorithm import Algorithm, Example
from clary.spec.channels import Distribution, InputMode

_ROWS = 240
_HELD_OUT_ROWS = 90
_FILES = 2


@dataclass(frozen=True)
class Setting:
    """How a training differs from the plainest one."""

    content_type: str = "text/csv"
    input_mode: InputMode = "File"
    hosts: int = 1
    held_out: bool = True
    seed: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a training left."""

    archive: Path
    log: str
    reported: Mapping[str, list[float]]
    model: Model


@dataclass
class Trainings:
    """Trains examples of an algorithm below `folder`."""

    algorithm: Algorithm
    folder: Path
    done: dict[tuple[int, Setting], Outcome] = field(default_factory=dict)

    def of(self, example: Example, setting: Setting | None = None) -> Outcome:
        """The outcome of an example in a setting."""
        setting = setting or Setting(content_type=self.usual_type)
        key = (self.algorithm.examples.index(example), setting)
        if key not in self.done:
            self.done[key] = self._trained(example, setting, len(self.done))
        return self.done[key]

    @property
    def usual_type(self) -> str:
        """CSV where the algorithm takes it, since it says nothing of its own width or label."""
        types = [parse_content_type(t).name for t in self.algorithm.channel("train").content_types]
        return "text/csv" if "text/csv" in types else types[0]

    def refusal(self, example: Example, batch: Batch | None) -> str | None:
        """What training on these rows (None: on an empty file) is refused with, if it is.

        Raises:
            Exception: anything but a refusal that tells the user what to mend.
        """
        place = self.folder / f"refused-{len(list(self.folder.iterdir()))}"
        source = place / "train"
        if batch is None:
            source.mkdir(parents=True)
            (source / "part-0.csv").write_bytes(b"")
        else:
            write(source, batch, self.usual_type, files=1)
        sources = [Source("train", str(source), content_type=self.usual_type)]
        try:
            self._launch(example, sources, place / "output", Setting())
        except CallerError as refused:
            return str(refused)
        return None

    def rows_of(self, example: Example, count: int = _HELD_OUT_ROWS, first: int = 0) -> Batch:
        """Rows as the example is trained on, from a place among them."""
        return rows(example.labels, count, first=first)

    def _trained(self, example: Example, setting: Setting, number: int) -> Outcome:
        place = self.folder / str(number)
        sources = []
        for channel in self.algorithm.channels:
            if channel.name not in {"train", "validation", "test"}:
                continue
            if channel.name == "train" or setting.held_out:
                count = _ROWS if channel.name == "train" else _HELD_OUT_ROWS
                batch = self.rows_of(example, count, first=0 if channel.name == "train" else 1)
                write(place / channel.name, batch, setting.content_type, _FILES)
                told = replace(setting, content_type=_with_label_size(setting.content_type, batch))
                sources.append(self._source(place / channel.name, channel.name, told))
        return self._launch(example, sources, place / "output", setting)

    def _source(self, folder: Path, name: str, setting: Setting) -> Source:
        distribution: Distribution = "FullyReplicated"
        if setting.hosts > 1 and "ShardedByS3Key" in self.algorithm.channel(name).distribution:
            distribution = "ShardedByS3Key"
        return Source(
            name,
            str(folder),
            input_mode=setting.input_mode,
            distribution=distribution,
            content_type=setting.content_type,
        )

    def _launch(
        self, example: Example, sources: list[Source], output: Path, setting: Setting
    ) -> Outcome:
        listener = _Listener()
        hyperparameters: dict[str, Any] = dict(example.hyperparameters)
        training = Training(
            self.algorithm.name, hyperparameters, sources, output, setting.hosts, setting.seed
        )
        trained = launch(training, listener)
        log = (output / "train.log").read_text()
        return Outcome(trained.model, log, listener.reported, load_model(trained.model))


def write(folder: Path, batch: Batch, content_type: str, files: int) -> None:
    """The rows as files of one format."""
    folder.mkdir(parents=True)
    kind = parse_content_type(content_type)
    suffix = next(end for end, name in EXTENSIONS.items() if name == kind.name)
    size = -(-batch.rows // files)
    for number, start in enumerate(range(0, batch.rows, size)):
        with (folder / f"part-{number}{suffix}").open("wb") as out:
            encode([batch.slice(start, min(start + size, batch.rows))], out, kind)


def _with_label_size(content_type: str, batch: Batch) -> str:
    """CSV cannot tell several label columns from features."""
    if content_type != "text/csv" or batch.label is None or batch.label.ndim == 1:
        return content_type
    return f"{content_type};label_size={batch.label.shape[1]}"


class _Listener:
    """Remembers what is reported."""

    def __init__(self) -> None:
        self.reported: dict[str, list[float]] = {}

    def log(self, line: str) -> None:
        return

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        self.reported.setdefault(name, []).append(value)
