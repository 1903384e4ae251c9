"""What an endpoint answers when its containers do not, in SageMaker's words."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clary.aws.errors import Refusal
from clary.jobs.platform import Account, Platform
from clary.jobs.serving.connections import Connections, NoAnswer, Reply, TooLong
from clary.jobs.serving.fleet import Fleet, Instance, LiveEndpoint, NoVariant, Throttled, Variant
from clary.jobs.serving.invocations import Invocation, Limits, invoke
from clary.jobs.serving.model_process import ModelProcess, NotHealthy, ServingOrder

PLATFORM = cast(Platform, SimpleNamespace(account=Account("123456789012", "eu-west-1")))


@dataclass
class Container:
    """Stands for a process: what it does with a request, a reply or an error."""

    outcome: Reply | Exception | float
    serving: ServingOrder
    is_ready = True

    async def connections(self) -> Connections:
        if isinstance(self.outcome, NotHealthy):
            raise self.outcome
        return cast(Connections, self)

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], *_: Any, **__: Any
    ) -> Reply:
        if isinstance(self.outcome, float):
            await asyncio.sleep(self.outcome)
        if isinstance(self.outcome, Exception):
            raise self.outcome
        assert isinstance(self.outcome, Reply)
        return self.outcome

    def lost(self, connections: Connections) -> None:
        pass


def endpoint(*outcomes: Reply | Exception | float, **members: Any) -> LiveEndpoint:
    processes = [
        cast(ModelProcess, Container(outcome, ServingOrder(f"c{place}", "a", Path("m"), {})))
        for place, outcome in enumerate(outcomes)
    ]
    variant = Variant("v", 1.0, [Instance(processes)], **members)
    return LiveEndpoint("e", Fleet([variant]), {})


def refusal(one: LiveEndpoint, seconds: float = 5.0) -> Refusal:
    with pytest.raises(Refusal) as caught:
        asyncio.run(invoke(PLATFORM, one, Invocation(b"x"), Limits(seconds)))
    return caught.value


def test_a_container_that_does_not_answer_in_time_is_told_with_status_0() -> None:
    error = refusal(endpoint(Reply(200, {}, b"y"), 60.0), seconds=0.05)
    assert (error.code, error.status) == ("ModelError", 424)
    assert error.members["OriginalStatusCode"] == 0
    assert error.members["OriginalMessage"] == (
        "Your invocation timed out while waiting for a response from container c1. Review the "
        "latency metrics for each container in Amazon CloudWatch, resolve the issue, and try again."
    )
    assert error.message.startswith(
        'Received server error (0) from c1 with message "Your invocation timed out'
    )
    assert error.message.endswith("in account 123456789012 for more information.")


@pytest.mark.parametrize(
    ("outcome", "beginning"),
    [
        (Reply(500, {}, b"broken\n"), 'Received server error (500) from c0 with message "broken".'),
        (Reply(404, {}, b"what?"), 'Received client error (404) from c0 with message "what?".'),
        (Reply(302, {}, b""), 'Received server error (302) from c0 with message "".'),
        (TooLong(), 'Received server error (0) from c0 with message "The answer is longer than'),
        (NoAnswer("gone"), 'Received server error (0) from c0 with message "The container ended'),
    ],
    ids=["500", "404", "302", "long", "gone"],
)
def test_what_a_container_does_wrong_is_a_model_error(
    outcome: Reply | Exception, beginning: str
) -> None:
    error = refusal(endpoint(outcome))
    assert (error.code, error.status) == ("ModelError", 424)
    assert error.message.startswith(beginning)


def test_a_container_that_cannot_be_started_is_service_unavailable() -> None:
    error = refusal(endpoint(NotHealthy("no memory")))
    assert (error.code, error.status) == ("ServiceUnavailable", 503)
    assert "no memory" in error.message


def test_a_serverless_variant_takes_no_more_than_it_may_at_once() -> None:
    one = endpoint(Reply(200, {}, b""), most_at_once=1)
    with one.taken(None):
        error = refusal(one)
        assert (error.code, error.status) == ("ThrottlingException", 429)
        with pytest.raises(Throttled), one.taken(None):
            pass
    asyncio.run(invoke(PLATFORM, one, Invocation(b"x")))


def test_the_least_busy_instance_is_asked() -> None:
    instances = [Instance([]) for _ in range(3)]
    one = LiveEndpoint("e", Fleet([Variant("v", 1.0, instances)]), {})
    with (
        one.taken(None) as (_, first),
        one.taken(None) as (_, second),
        one.taken(None) as (_, third),
    ):
        assert {id(first), id(second), id(third)} == {id(instance) for instance in instances}
    assert [instance.in_flight for instance in instances] == [0, 0, 0]


def test_without_any_weight_there_is_no_variant() -> None:
    fleet = Fleet([Variant(name, 0.0, [Instance([])]) for name in "ab"])
    with pytest.raises(NoVariant):
        fleet.chosen(None)
    assert fleet.chosen("b").name == "b"


def test_a_fleet_that_was_replaced_gets_no_more_requests() -> None:
    one = endpoint(Reply(200, {}, b"old"))
    following = endpoint(Reply(200, {}, b"new")).fleet
    with one.taken(None) as (_, instance):
        old = one.replace(following, {})
        assert [each.in_flight for each in old.variants["v"].instances] == [1]
        assert asyncio.run(invoke(PLATFORM, one, Invocation(b"x")))[1].body == b"new"
    assert instance.in_flight == 0
