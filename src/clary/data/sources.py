"""Where a channel's data is, as the API says it, and the objects that this means."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

from clary.errors import CallerError, Fault, raise_all
from clary.spec.channels import Distribution, InputMode
from clary.storage.folder import FolderStore
from clary.storage.location import Location, Stores, local_path
from clary.storage.store import StoredObject

DataType = Literal["S3Prefix", "ManifestFile", "AugmentedManifestFile"]
Compression = Literal["None", "Gzip"]
RecordWrapper = Literal["None", "RecordIO"]

_MOST_ATTRIBUTES = 16
_REFERENCE = "-ref"


@dataclass(frozen=True)
class Source:
    """One channel of a training job: what is read, from where, and how it is to arrive.

    uri: `s3://bucket/prefix`, `file://…` or a path; for manifests that of the manifest.
    """

    channel: str
    uri: str
    data_type: DataType = "S3Prefix"
    input_mode: InputMode = "File"
    distribution: Distribution = "FullyReplicated"
    content_type: str | None = None
    attribute_names: tuple[str, ...] = ()
    compression: Compression = "None"
    record_wrapper: RecordWrapper = "None"
    shuffle_seed: int | None = None

    def __post_init__(self) -> None:
        raise_all(self._faults())

    @classmethod
    def from_request(cls, channel: Mapping[str, Any], input_mode: InputMode = "File") -> Source:
        """The source that an item of InputDataConfig describes.

        `input_mode` is the job's, for channels without their own.

        Raises:
            CallerError: it is no source in S3, or its members contradict each other.
        """
        s3 = channel.get("DataSource", {}).get("S3DataSource")
        if s3 is None:
            name = f"channel {channel['ChannelName']}"
            raise CallerError.of(name, "its DataSource must be an S3DataSource")
        return cls(
            channel=channel["ChannelName"],
            uri=s3["S3Uri"],
            data_type=s3.get("S3DataType", "S3Prefix"),
            input_mode=channel.get("InputMode", input_mode),
            distribution=s3.get("S3DataDistributionType", "FullyReplicated"),
            content_type=channel.get("ContentType") or None,
            attribute_names=tuple(s3.get("AttributeNames", ())),
            compression=channel.get("CompressionType", "None"),
            record_wrapper=channel.get("RecordWrapperType", "None"),
            shuffle_seed=channel.get("ShuffleConfig", {}).get("Seed"),
        )

    def _faults(self) -> Iterator[Fault]:
        thing = f"channel {self.channel}"
        augmented = self.data_type == "AugmentedManifestFile"
        if self.data_type not in get_args(DataType):
            rule = f"S3DataType must be one of {', '.join(get_args(DataType))}"
            yield Fault(thing, rule, self.data_type)
        if augmented and self.input_mode != "Pipe":
            yield Fault(thing, "AugmentedManifestFile needs the input mode Pipe", self.input_mode)
        if augmented and not 1 <= len(self.attribute_names) <= _MOST_ATTRIBUTES:
            rule = f"AttributeNames must name 1 to {_MOST_ATTRIBUTES} attributes"
            yield Fault(thing, rule, len(self.attribute_names))
        if self.attribute_names and not augmented:
            yield Fault(thing, "AttributeNames belong to AugmentedManifestFile", self.data_type)
        if self.input_mode == "FastFile" and self.data_type != "S3Prefix":
            yield Fault(thing, "the input mode FastFile needs S3Prefix", self.data_type)
        if self.record_wrapper == "RecordIO" and self.input_mode != "Pipe":
            rule = "RecordWrapperType RecordIO needs the input mode Pipe"
            yield Fault(thing, rule, self.input_mode)


@dataclass(frozen=True)
class Item:
    """What sharding and shuffling move as one: an object, or a line of an augmented manifest.

    name: the key relative to the prefix, or the line's number.
    parts: what to stream, in order: objects, or bytes that the manifest itself holds.
    """

    name: str
    parts: tuple[Location | bytes, ...]


def is_data(name: str) -> bool:
    """Whether a relative key is one of data: marks such as `_SUCCESS` and `.crc` files are not."""
    return not any(part.startswith((".", "_")) for part in name.split("/"))


def resolve(source: Source, stores: Stores) -> list[Item]:
    """All items of a source, sorted by name; augmented manifests in the order of their lines.

    Raises:
        CallerError: nothing is there, it cannot be read, or the manifest is malformed.
    """
    if source.data_type == "AugmentedManifestFile":
        return list(_augmented(source, stores))
    if source.data_type == "ManifestFile":
        items = _listed(source, stores)
    else:
        items = _below(source, stores)
    return sorted(items, key=lambda item: os.fsencode(item.name))


def _below(source: Source, stores: Stores) -> list[Item]:
    path = local_path(source.uri)
    if path is not None:
        return _local_items(source.channel, path)
    location = stores.locate(source.uri)
    found = [each for each in location.store.objects(location.key) if not each.key.endswith("/")]
    if not found:
        raise CallerError.of(
            f"channel {source.channel}",
            f'No S3 objects found under S3 URL "{source.uri}" given in input data source',
            remedy="Check bucket and prefix.",
        )
    start = _common_length(location.key, found)
    return [
        Item(each.key[start:].lstrip("/"), (Location(location.store, each.key),)) for each in found
    ]


def _local_items(channel: str, path: Path) -> list[Item]:
    if path.is_file():
        return [Item(path.name, (Location(FolderStore(path.parent), path.name),))]
    if not path.exists():
        raise CallerError.of(f"channel {channel}", "there is no such file or folder", str(path))
    if not path.is_dir():
        raise CallerError.of(f"channel {channel}", "must be a file or a folder", str(path))
    store = FolderStore(path)
    items = [Item(each.key, (Location(store, each.key),)) for each in store.objects()]
    if not items:
        raise CallerError.of(f"channel {channel}", "there are no files in the folder", str(path))
    return items


def _common_length(prefix: str, found: list[StoredObject]) -> int:
    """How much of the keys to leave out: the prefix where it is a folder, else its own folder."""
    if all(each.key.startswith(prefix.rstrip("/") + "/") for each in found):
        return len(prefix)
    return prefix.rfind("/") + 1


def _listed(source: Source, stores: Stores) -> list[Item]:
    entries = _manifest(source.uri, stores)
    prefix = entries[0]["prefix"]
    repeated = [key for key, count in Counter(entries[1:]).items() if count > 1]
    if repeated:
        raise CallerError.of(source.uri, "a manifest must name each key once", repeated[0])
    items = [Item(key, (stores.locate(prefix + key),)) for key in entries[1:]]
    for item in items:
        _check_local(cast(Location, item.parts[0]), source.uri)
    return items


def _manifest(uri: str, stores: Stores) -> list[Any]:
    rule = 'must be a JSON array: {"prefix": "s3://…"}, then keys below it'
    try:
        with stores.locate(uri).open() as stream:
            entries = json.load(stream)
    except (ValueError, RecursionError) as error:
        raise CallerError.of(uri, rule, f"something else: {error}") from error
    if not isinstance(entries, list) or not entries:
        raise CallerError.of(uri, rule, entries)
    head, *keys = entries
    if not isinstance(head, dict) or not isinstance(head.get("prefix"), str):
        raise CallerError.of(uri, "the first item must be an object with a prefix", head)
    for key in keys:
        if not isinstance(key, str) or not key:
            raise CallerError.of(uri, "each item after the first must be a key", key)
    if not keys:
        raise CallerError.of(uri, "the manifest names no keys")
    return entries


def _augmented(source: Source, stores: Stores) -> Iterator[Item]:
    number = 0
    with stores.locate(source.uri).open() as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                where = f"{source.uri}, line {number}"
                record = _record(line, where)
                parts = [_part(record, name, where, stores) for name in source.attribute_names]
                yield Item(str(number), tuple(parts))
    if not number:
        raise CallerError.of(source.uri, "the manifest is empty")


def _record(line: bytes, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CallerError.of(where, "must be a JSON object", f"something else: {error}") from error
    if not isinstance(record, dict):
        raise CallerError.of(where, "must be a JSON object", record)
    return record


def _part(record: dict[str, Any], name: str, where: str, stores: Stores) -> Location | bytes:
    if name not in record:
        raise CallerError.of(where, f"has no attribute {name!r}", list(record))
    value = record[name]
    if name.endswith(_REFERENCE):
        if not isinstance(value, str):
            raise CallerError.of(where, f"{name} must be the URI of an object", value)
        location = stores.locate(value)
        _check_local(location, where)
        return location
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode(errors="surrogatepass")


def _check_local(location: Location, manifest: str) -> None:
    """Objects of this machine are looked at now; those of S3 when they are fetched."""
    path = location.store.local(location.key)
    if path is not None and not path.is_file():
        raise CallerError.of(manifest, "names an object that does not exist", location.uri)
