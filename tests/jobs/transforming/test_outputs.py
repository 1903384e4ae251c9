"""Which outputs are written is known after any end of the worker."""

from __future__ import annotations

from pathlib import Path

from clary.jobs.transforming.outputs import WRITTEN, ledger, output_uri, written_names


def test_outputs_lie_below_the_output_path() -> None:
    assert output_uri("s3://b/out/", "sub/a.csv") == "s3://b/out/sub/a.csv.out"
    assert output_uri("s3://b", "a.csv") == "s3://b/a.csv.out"


def test_a_note_that_was_cut_is_none_and_spoils_no_later_one(tmp_path: Path) -> None:
    assert written_names(tmp_path) == []
    with ledger(tmp_path) as note:
        note("a b\u2028c.csv")
    with (tmp_path / WRITTEN).open("a") as file:
        file.write('"half')
    assert written_names(tmp_path) == ["a b\u2028c.csv"]
    with ledger(tmp_path) as note:
        note("d.csv")
    assert written_names(tmp_path) == ["a b\u2028c.csv", "d.csv"]
