"""What answers for an endpoint: its variants, their instances, and who is asked next."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from clary.jobs.serving.model_process import ModelProcess

_LOOK_SECONDS = 0.02


class NoVariant(Exception):
    """The endpoint has no variant of this name, or none that traffic goes to."""


@dataclass
class Instance:
    """The containers of one instance, in the order in which a request goes through them."""

    processes: Sequence[ModelProcess]
    in_flight: int = 0
    used: float = field(default_factory=time.monotonic)

    @property
    def is_ready(self) -> bool:
        return all(process.is_ready for process in self.processes)


@dataclass
class Variant:
    """A production variant.

    direct: whether a request names its container. prefix: where a multi-model variant's models
    are. most_at_once: how many requests a serverless variant takes, 0 for any number.
    """

    name: str
    weight: float
    instances: list[Instance]
    direct: bool = False
    prefix: str | None = None
    most_at_once: int = 0
    idle_seconds: float = 3600.0

    @property
    def in_flight(self) -> int:
        return sum(instance.in_flight for instance in self.instances)


class Fleet:
    """All variants of one deployment."""

    def __init__(self, variants: Sequence[Variant]) -> None:
        self.variants: Mapping[str, Variant] = {one.name: one for one in variants}

    def processes(self) -> Iterator[ModelProcess]:
        for variant in self.variants.values():
            for instance in list(variant.instances):
                yield from instance.processes

    def chosen(self, target: str | None) -> Variant:
        """The variant that a request goes to: the one it names, else one by weight.

        Raises:
            NoVariant: there is none.
        """
        if target is not None:
            if target not in self.variants:
                raise NoVariant(f"Variant {target} not found")
            return self.variants[target]
        variants = list(self.variants.values())
        if len(variants) == 1:
            return variants[0]
        weights = [variant.weight for variant in variants]
        if sum(weights) <= 0:
            raise NoVariant("All variants have weight 0")
        return random.choices(variants, weights)[0]

    def drained(self, seconds: float) -> None:
        """Wait until no request is under way, but not for ever, and end the processes."""
        deadline = time.monotonic() + seconds
        variants = self.variants.values()
        while any(one.in_flight for one in variants) and time.monotonic() < deadline:
            time.sleep(_LOOK_SECONDS)
        self.stop()

    def stop(self) -> None:
        for process in self.processes():
            process.stop()


class LiveEndpoint:
    """An endpoint that takes requests. Its fleet is replaced between two of them.

    config: the endpoint configuration that the fleet was made of.
    """

    def __init__(self, name: str, fleet: Fleet, config: Mapping[str, Any]) -> None:
        self.name = name
        self._fleet, self._config = fleet, config
        self._lock = threading.Lock()

    @property
    def fleet(self) -> Fleet:
        return self._fleet

    @property
    def config(self) -> Mapping[str, Any]:
        return self._config

    def replace(self, fleet: Fleet, config: Mapping[str, Any]) -> Fleet:
        """The fleet that was there; no request is given to it any more."""
        with self._lock:
            old, self._fleet = self._fleet, fleet
            self._config = config
        return old

    @contextmanager
    def taken(self, target: str | None) -> Iterator[tuple[Variant, Instance]]:
        """A variant and the least busy of its instances, which counts the request meanwhile.

        Raises:
            NoVariant: there is none.
            Throttled: a serverless variant has as many requests as it may.
        """
        with self._lock:
            variant = self._fleet.chosen(target)
            if variant.most_at_once and variant.in_flight >= variant.most_at_once:
                raise Throttled(variant.name)
            instance = min(variant.instances, key=_busyness)
            instance.in_flight += 1
        try:
            yield variant, instance
        finally:
            with self._lock:
                instance.in_flight -= 1
            instance.used = time.monotonic()

    def without(self, variant: Variant, count: int) -> list[Instance]:
        """Take instances out of a variant, so that no request is given to them any more."""
        with self._lock:
            removed = variant.instances[count:]
            del variant.instances[count:]
        return removed

    def with_more(self, variant: Variant, instances: Sequence[Instance]) -> None:
        with self._lock:
            variant.instances.extend(instances)


class Throttled(Exception):
    """The variant has as many requests as it may."""


class Endpoints:
    """The endpoints that take requests, by name."""

    def __init__(self) -> None:
        self._live: dict[str, LiveEndpoint] = {}

    def find(self, name: str) -> LiveEndpoint | None:
        return self._live.get(name)

    def add(self, endpoint: LiveEndpoint) -> None:
        self._live[endpoint.name] = endpoint

    def remove(self, name: str) -> LiveEndpoint | None:
        return self._live.pop(name, None)

    def all(self) -> list[LiveEndpoint]:
        return list(self._live.values())


def _busyness(instance: Instance) -> tuple[bool, int, float]:
    """Ready ones first, then the least busy, then the one that rested longest."""
    return not instance.is_ready, instance.in_flight, instance.used
