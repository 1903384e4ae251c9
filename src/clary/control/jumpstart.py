"""Training jobs that came through JumpStart: what its script would have done with the request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from clary.control.images import Asked
from clary.jobs.platform import Platform
from clary.spec.jumpstart import JumpStartModel
from clary.storage.location import Stores

# Buckets that hold what AWS, or `clary up` in its stead, publishes
_PUBLISHED = "s3://jumpstart-"
# What training scripts and their drivers come in; a built-in algorithm reads neither
_SCRIPTS = frozenset({"code", "sm_drivers"})
_FOLDERS = {"train": ("train", "training"), "validation": ("validation",)}


def adapted(platform: Platform, request: Mapping[str, Any], asked: Asked) -> dict[str, Any]:
    """The members of a CreateTrainingJob as its algorithm is to get them, those that differ."""
    channels = request.get("InputDataConfig", [])
    names = {channel["ChannelName"] for channel in channels}
    if asked.model is None:
        kept = [one for one in channels if one["ChannelName"] != "sm_drivers"]
        return {"InputDataConfig": kept} if len(kept) < len(channels) else {}
    return {
        "HyperParameters": hyperparameters(asked.model, request.get("HyperParameters", {})),
        "InputDataConfig": [
            read
            for channel in channels
            for read in _channels(channel, platform.stores)
            if read["ChannelName"] == channel["ChannelName"] or read["ChannelName"] not in names
        ],
    }


def hyperparameters(model: JumpStartModel, given: Mapping[str, str]) -> dict[str, str]:
    """The given ones under the names of the declaration, beside what the model's id sets.

    Where the same is given under both names, the declaration's counts.
    """
    named = {name: value for name, value in given.items() if name not in model.renamed}
    for name, new in model.renamed.items():
        if name in given:
            named.setdefault(new, given[name])
    for name, value in model.hyperparameters.items():
        named.setdefault(model.renamed.get(name, name), value)
    return named


def _channels(channel: Mapping[str, Any], stores: Stores) -> Iterator[dict[str, Any]]:
    """The channels that a channel is read as: of `training`, its folders train and validation."""
    name, source = channel["ChannelName"], channel["DataSource"].get("S3DataSource", {})
    uri = source.get("S3Uri", "")
    if name in _SCRIPTS or (name == "model" and uri.startswith(_PUBLISHED)):
        return
    if name not in {"train", "training"} or source.get("S3DataType") != "S3Prefix":
        yield dict(channel)
        return
    found = dict(_folders(uri, stores))
    if "train" not in found:
        found = {"train": uri}
    for part, place in found.items():
        data = {**channel["DataSource"], "S3DataSource": {**source, "S3Uri": place}}
        yield {"ContentType": "text/csv", **channel, "ChannelName": part, "DataSource": data}


def _folders(uri: str, stores: Stores) -> Iterator[tuple[str, str]]:
    for part, names in _FOLDERS.items():
        for name in names:
            place = f"{uri.rstrip('/')}/{name}/"
            location = stores.locate(place)
            if location.store.objects(location.key):
                yield part, place
                break
