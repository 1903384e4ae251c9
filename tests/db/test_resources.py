"""Rows: made once, changed whole, listed in pages without gaps."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clary.db.database import Database
from clary.db.metrics import Metrics, Value
from clary.db.resources import Missing, Resources, Row, Taken, Wanted


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "rows.db")
    yield opened
    opened.close()


@pytest.fixture
def resources(database: Database) -> Resources:
    return Resources(database)


def made(resources: Resources, name: str, status: str = "InProgress", **tags: str) -> Row:
    arn = f"arn:aws:sagemaker:us-east-1:123456789012:model/{name}"
    return resources.create("model", name, arn, {"ModelName": name}, status=status, tags=tags)


def test_a_row_is_found_as_it_was_made(resources: Resources) -> None:
    row = made(resources, "a", team="x")
    assert resources.find("model", "a") == row
    assert resources.find_arn(row.arn.upper()) == row
    assert resources.tags(row) == {"team": "x"}
    assert resources.find("endpoint", "a") is None


def test_of_many_who_make_the_same_name_at_once_one_succeeds(resources: Resources) -> None:
    outcomes = []
    begin = threading.Barrier(8)

    def make() -> None:
        begin.wait()
        try:
            made(resources, "same", tag="x")
            outcomes.append("made")
        except Taken as taken:
            outcomes.append(taken.arn.rpartition("/")[2])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["made"] + ["same"] * 7


def test_changes_of_many_threads_are_all_kept(resources: Resources) -> None:
    made(resources, "counter")

    def count() -> None:
        for _ in range(25):
            with resources.changing("model", "counter") as row:
                row.state["n"] = row.state.get("n", 0) + 1

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = resources.find("model", "counter")
    assert found
    assert found.state == {"n": 100}


def test_a_change_that_fails_leaves_the_row_as_it_was(resources: Resources) -> None:
    before = made(resources, "a")

    def fail(row: Row) -> None:
        row.status = "Completed"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), resources.changing("model", "a") as row:
        fail(row)
    assert resources.find("model", "a") == before


def test_what_is_not_there_cannot_be_changed(resources: Resources) -> None:
    with pytest.raises(Missing), resources.changing("model", "nobody"):
        pass


def test_a_removed_row_takes_its_tags_and_metrics_along(
    database: Database, resources: Resources
) -> None:
    row, metrics = made(resources, "a", team="x"), Metrics(database)
    metrics.add(row.id, [Value("loss", 1, 0.5)])
    assert resources.remove("model", "a")
    assert not resources.remove("model", "a")
    assert resources.tags(row) == {}
    assert metrics.of(row) == []
    # The name is free again
    assert made(resources, "a").name == "a"


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    count=st.integers(0, 12),
    limit=st.integers(1, 5),
    sort=st.sampled_from(["Name", "CreationTime", "Status", "LastModifiedTime"]),
    descending=st.booleans(),
)
def test_pages_hold_every_row_once_and_in_order(
    database: Database, count: int, limit: int, sort: str, descending: bool
) -> None:
    resources = Resources(database)
    for each in list(resources.each("model")):
        resources.remove("model", each.name)
    # Many share a status and a millisecond
    rows = [made(resources, f"m{n:02}", status="AB"[n % 2]) for n in range(count)]
    found: list[str] = []
    after = None
    while True:
        wanted = Wanted(sort=sort, descending=descending, limit=limit, after=after)
        page, after = resources.page("model", wanted)
        assert len(page) <= limit
        found += [row.name for row in page]
        if after is None:
            break
    assert sorted(found) == [row.name for row in rows]
    if sort == "Name":
        assert found == sorted(found, reverse=descending)
    if sort == "Status":
        statuses = ["AB"[int(name[1:]) % 2] for name in found]
        assert statuses == sorted(statuses, reverse=descending)


def test_filters_of_names_tell_case_apart(resources: Resources) -> None:
    made(resources, "Iris-one")
    made(resources, "iris-two")
    page, _ = resources.page("model", Wanted(contains="iris"))
    assert [row.name for row in page] == ["iris-two"]


def test_another_process_sees_what_was_written(tmp_path: Path) -> None:
    made(Resources(Database(tmp_path / "rows.db")), "a")
    assert Resources(Database(tmp_path / "rows.db")).find("model", "a")
