"""`clary transform`: a folder of files to a folder of answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.commands import clary_here

CSV = ("--content-type", "text/csv", "--accept", "text/csv", "--split-type", "Line")


@pytest.fixture
def rows(data: Path, tmp_path: Path) -> Path:
    """A folder with the tumors in two files."""
    lines = (data / "tumors-rows.csv").read_text().splitlines(keepends=True)
    folder = tmp_path / "in"
    (folder / "more").mkdir(parents=True)
    (folder / "a.csv").write_text("".join(lines[:200]))
    (folder / "more" / "b.csv").write_text("".join(lines[200:]))
    return folder


def test_each_file_gets_what_predict_answers(
    models: dict[str, Path], rows: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = clary_here("transform", models["xgboost"], rows, "--output", out, *CSV, "--json")
    assert (done.code, done.json) == (0, {"output": str(out), "objects": 2})
    for name in ("a.csv", "more/b.csv"):
        answer = tmp_path / "answer.csv"
        asked = clary_here("predict", models["xgboost"], rows / name, "-o", answer)
        assert asked.code == 0, asked.err
        assert (out / f"{name}.out").read_bytes().split() == answer.read_bytes().split()


def test_records_are_joined_to_their_answers(
    models: dict[str, Path], rows: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    joined = ("--join-source", "Input", "--assemble-with", "Line", "--output-filter", "$[0,-1]")
    done = clary_here("transform", models["xgboost"], rows, "--output", out, *CSV, *joined)
    assert done.code == 0, done.err
    first = [line.split(",")[0] for line in (rows / "a.csv").read_text().splitlines()]
    stored = [line.split(",") for line in (out / "a.csv.out").read_text().splitlines()]
    assert [row[0] for row in stored] == first
    assert all(0 < float(row[1]) < 1 for row in stored)


def test_json_lines_are_answered_one_by_one(models: dict[str, Path], tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"features":[5.1,3.5,1.4,0.2]}\n{"features":[6.7,3.0,5.2,2.3]}\n')
    kind = "application/jsonlines"
    asked = ("--content-type", kind, "--accept", kind, "--split-type", "Line")
    more = ("--assemble-with", "Line", "--join-source", "Input")
    done = clary_here("transform", models["kmeans"], rows, "--output", tmp_path, *asked, *more)
    assert done.code == 0, done.err
    stored = [json.loads(line) for line in (tmp_path / "rows.jsonl.out").read_text().splitlines()]
    assert [one["features"] for one in stored] == [[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]]
    clusters = {one["SageMakerOutput"]["closest_cluster"] for one in stored}
    assert len(clusters) == 2


def test_a_bad_file_is_named_and_the_others_are_written(
    models: dict[str, Path], rows: Path, tmp_path: Path
) -> None:
    (rows / "bad.csv").write_text("1,2,3\n")
    out = tmp_path / "out"
    done = clary_here("transform", models["xgboost"], rows, "--output", out, *CSV)
    assert done.code == 1
    assert "bad.csv: has no output: request body, line 1: must have 30 features" in done.err
    assert "2 outputs were written" in done.err
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert found == {"a.csv.out", "more/b.csv.out"}


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--input-filter", "$..a"), "InputFilter"),
        (("--max-payload-in-mb", "60", "--max-concurrent-transforms", "2"), "at most 100 MB"),
        (("--join-source", "Input"), "AssembleWith"),
        (("--split-type", "Word"), "'Word'"),
    ],
)
def test_what_cannot_be_done_is_refused(
    models: dict[str, Path], rows: Path, tmp_path: Path, arguments: tuple[str, ...], part: str
) -> None:
    out = tmp_path / "out"
    done = clary_here("transform", models["xgboost"], rows, "--output", out, *CSV, *arguments)
    assert done.code == 1
    assert part in done.err
    assert not out.exists()
