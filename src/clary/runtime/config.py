"""The three JSON files that tell a container what to train: read, and written by launchers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast, get_args

from clary.data.sources import RecordWrapper, Source
from clary.errors import CallerError
from clary.runtime.layout import Layout
from clary.spec.channels import Distribution, InputMode
from clary.storage.folder import whole_file

_GROUP = "homogeneousCluster"


@dataclass(frozen=True)
class ChannelConfig:
    """One entry of inputdataconfig.json.

    `uri` and `shuffle_seed` are Clary's: where the data came from, and the seed of ShuffleConfig,
    which SageMaker keeps to itself.
    """

    content_type: str | None = None
    input_mode: InputMode = "File"
    distribution: Distribution = "FullyReplicated"
    record_wrapper: RecordWrapper = "None"
    uri: str = ""
    shuffle_seed: int | None = None


@dataclass(frozen=True)
class Resources:
    """resourceconfig.json: this host, all hosts sorted as text, and what they are."""

    current_host: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    instance_type: str | None = None

    @property
    def is_leader(self) -> bool:
        return self.current_host == self.hosts[0]


@dataclass(frozen=True)
class Config:
    """What the three files say together."""

    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    channels: Mapping[str, ChannelConfig] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)


def read_config(layout: Layout) -> Config:
    """The configuration of a tree.

    Files that are missing are taken as: no hyperparameters; every folder of input/data a channel in
    File mode; one host. Unknown keys are let be.

    Raises:
        CallerError: a file is not what it should be; file and key are named.
    """
    return Config(
        hyperparameters=_object(layout.hyperparameters) or {},
        channels=_channels(layout),
        resources=_resources(layout.resource_config),
    )


def write_config(
    layout: Layout,
    hyperparameters: Mapping[str, Any],
    sources: Iterable[Source],
    resources: Resources,
) -> None:
    """Write the three files as SageMaker does: hyperparameters are all strings."""
    _write(layout.hyperparameters, {name: _text(value) for name, value in hyperparameters.items()})
    _write(layout.input_data_config, {source.channel: _entry(source) for source in sources})
    _write(layout.resource_config, _content(resources))


def _channels(layout: Layout) -> dict[str, ChannelConfig]:
    path = layout.input_data_config
    entries = _object(path)
    if entries is None:
        folders = sorted(layout.data.iterdir()) if layout.data.is_dir() else []
        return {folder.name: ChannelConfig() for folder in folders if folder.is_dir()}
    return {name: _channel(path, name, entry) for name, entry in entries.items()}


def _channel(path: Path, name: str, entry: Any) -> ChannelConfig:
    if not isinstance(entry, dict):
        raise CallerError.of(f"{path}, {name}", "must be an object", entry)
    content_type = entry.get("ContentType")
    if content_type is not None and not isinstance(content_type, str):
        raise CallerError.of(f"{path}, {name}.ContentType", "must be text", content_type)

    def word(key: str, words: tuple[str, ...]) -> Any:
        value = entry.get(key, words[0])
        if value not in words:
            raise CallerError.of(f"{path}, {name}.{key}", f"must be {' or '.join(words)}", value)
        return value

    return ChannelConfig(
        content_type=content_type or None,
        input_mode=word("TrainingInputMode", get_args(InputMode)),
        distribution=word("S3DistributionType", get_args(Distribution)),
        record_wrapper=word("RecordWrapperType", get_args(RecordWrapper)),
        uri=str(entry.get("S3Uri", "")),
        shuffle_seed=_seed(path, name, entry.get("ShuffleConfig")),
    )


def _seed(path: Path, name: str, config: Any) -> int | None:
    if config is None:
        return None
    seed = config.get("Seed") if isinstance(config, dict) else None
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise CallerError.of(f"{path}, {name}.ShuffleConfig", "must have a Seed", config)
    return seed


def _resources(path: Path) -> Resources:
    content = _object(path)
    if content is None:
        return Resources()
    hosts = content.get("hosts")
    if not isinstance(hosts, list) or not hosts or not all(_is_name(host) for host in hosts):
        raise CallerError.of(f"{path}, hosts", "must be a list of names", hosts)
    if len(set(hosts)) < len(hosts):
        raise CallerError.of(f"{path}, hosts", "must not name a host twice", hosts)
    current = content.get("current_host")
    if current not in hosts:
        raise CallerError.of(f"{path}, current_host", f"must be one of {', '.join(hosts)}", current)
    instance_type = content.get("current_instance_type")
    return Resources(
        current_host=cast(str, current),
        hosts=tuple(sorted(hosts)),
        instance_type=instance_type if isinstance(instance_type, str) else None,
    )


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != "" and not any(char.isspace() for char in value)


def _object(path: Path) -> dict[str, Any] | None:
    """The JSON object of a file, or None where there is no file."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CallerError.of(str(path), f"cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise CallerError.of(str(path), "must be JSON", f"something else: {error}") from error
    if not isinstance(content, dict):
        raise CallerError.of(str(path), "must be a JSON object", content)
    return content


def _entry(source: Source) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "TrainingInputMode": source.input_mode,
        "S3DistributionType": source.distribution,
        "RecordWrapperType": source.record_wrapper,
        "S3Uri": source.uri,
    }
    if source.content_type:
        entry["ContentType"] = source.content_type
    if source.shuffle_seed is not None:
        entry["ShuffleConfig"] = {"Seed": source.shuffle_seed}
    return entry


def _content(resources: Resources) -> dict[str, Any]:
    hosts, instance_type = list(resources.hosts), resources.instance_type
    content = {
        "current_host": resources.current_host,
        "current_group_name": _GROUP,
        "hosts": hosts,
        "instance_groups": [
            {"instance_group_name": _GROUP, "instance_type": instance_type, "hosts": hosts}
        ],
        "network_interface_name": "eth0",
    }
    return {**content, "current_instance_type": instance_type} if instance_type else content


def _write(path: Path, content: Mapping[str, Any]) -> None:
    with whole_file(path) as out:
        out.write(json.dumps(content, indent=1).encode() + b"\n")


def _text(value: Any) -> str:
    """As the SDK sends it: text as it is, lists as JSON, all else as Python writes it."""
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, list | tuple | dict) else str(value)
