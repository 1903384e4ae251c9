"""The grammar of channels: what data an algorithm takes, and in which forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from clary.spec.columns import Column

InputMode = Literal["File", "FastFile", "Pipe"]
Distribution = Literal["FullyReplicated", "ShardedByS3Key"]
Label = Literal["first", "none", "optional"]


@dataclass(frozen=True)
class ChannelSpec:
    """One input channel.

    `label` says whether rows carry a label: `first` (supervised; text/csv defaults to one label
    column), `none` (unsupervised; a label is dropped), `optional` (used where it is there).
    `missing` allows empty and NaN features. `beyond` are content types that SageMaker's own image
    does not take and Clary does. `columns` are those of rows that are not numbers.
    """

    name: str
    about: str
    required: bool = False
    content_types: tuple[str, ...] = ("application/x-recordio-protobuf", "text/csv")
    beyond: tuple[str, ...] = ()
    modes: tuple[InputMode, ...] = ("File", "FastFile", "Pipe")
    distribution: tuple[Distribution, ...] = ("FullyReplicated", "ShardedByS3Key")
    label: Label = "first"
    missing: bool = False
    columns: tuple[Column, ...] = ()
    default_content_type: str = "application/x-recordio-protobuf"

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "required": self.required,
            "content_types": list(self.content_types),
            "content_types_beyond": list(self.beyond),
            "modes": list(self.modes),
            "distribution": list(self.distribution),
            "label": self.label,
            "columns": [column.name for column in self.columns],
            "about": self.about,
        }
