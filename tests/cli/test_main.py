"""The frame of the command line: help, errors, exit codes, the catalogue."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from clary.algorithms import CATALOGUE
from clary.cli import catalogue
from clary.cli.main import COMMANDS
from tests.cli.commands import clary, clary_here


def test_help_names_every_command() -> None:
    told = clary("--help")
    assert told.code == 0
    assert all(f"  {name} " in told.out for name in COMMANDS)


def test_help_loads_no_numeric_library() -> None:
    code = "import sys; import clary.cli.main; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "scipy", "pyarrow", "sklearn", "xgboost", "numba", "pydantic", "boto3"}
    assert not heavy & set(loaded.stdout.split())


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_help(name: str) -> None:
    told = clary_here(name, "--help")
    assert told.code == 0
    assert told.out.startswith(f"Usage: clary {name}")


def test_the_catalogue_and_declarations_load_no_numeric_library() -> None:
    code = (
        "import sys; from clary.algorithms import names, declaration;"
        "[declaration(name).describe() for name in names()]; print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"numpy", "scipy", "pyarrow", "sklearn", "xgboost", "numba", "torch", "boto3"}
    assert not heavy & set(loaded.stdout.split())


def test_train_help_goes_on_with_the_algorithms_hyperparameters() -> None:
    told = clary_here("train", "kmeans", "--help")
    assert told.code == 0
    assert "extra_center_factor  [an integer of at least 1, or auto; default auto]" in told.out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("trian",), "No such command 'trian'. Did you mean 'train'? `clary --help` shows how."),
        (("zzz",), "No such command 'zzz'."),
        (("train", "kmeans"), "Missing option '--output'"),
        (("describe", "kmean"), "Did you mean 'kmeans'?"),
        (("train", "kmeans", "--output", "x", "-p", "k"), "must have the form NAME=VALUE, got 'k'"),
        (("inspect", "nowhere"), "nowhere"),
        (("convert", "nowhere.csv", "x.parquet"), "nowhere.csv: must be an existing file"),
    ],
)
def test_what_the_user_can_mend_ends_with_1_and_a_sentence(
    arguments: tuple[str, ...], said: str
) -> None:
    told = clary_here(*arguments)
    assert told.code == 1
    assert said in told.err
    assert "Traceback" not in told.err


def test_a_fault_of_ours_ends_with_2_and_asks_for_a_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(catalogue, "names", lambda: 1 / 0)
    told = clary_here("algorithms")
    assert told.code == 2
    assert "ZeroDivisionError" in told.err
    assert told.err.endswith("clary: this is a fault of Clary, not of yours; please report it\n")


def test_a_missing_library_is_named_with_what_brings_it(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("1,2\n2,3\n")
    code = (
        "import sys; sys.modules['xgboost'] = None; from clary.cli.main import run;"
        "sys.exit(run(['train', 'xgboost', '--train', 'rows.csv', '-p', 'num_round=1',"
        "'--output', 'out']))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert told.returncode == 1
    assert told.stderr.splitlines()[-1] == (
        "clary: xgboost: needs the package 'xgboost', which is not installed. pip install xgboost"
    )


def test_algorithms_are_listed_as_json_on_the_last_line() -> None:
    listed = clary_here("algorithms", "--json").json["algorithms"]
    assert [one["name"] for one in listed] == list(CATALOGUE)
    assert all(one["title"] and one["learning"] for one in listed)


@pytest.mark.parametrize("name", CATALOGUE)
def test_a_declaration_is_described_for_people_and_for_programs(name: str) -> None:
    told = clary_here("describe", name, "--json").json
    wanted = {"hyperparameters", "channels", "metrics", "inference", "instances", "tuning"}
    assert wanted <= set(told)
    assert {"accepts", "returns"} <= set(told["inference"])
    assert all({"name", "goal", "regex"} <= set(metric) for metric in told["metrics"])
    keys = {"name", "type", "required", "default", "min", "max", "exclusive_min", "choices"}
    assert all(keys | {"accepts_auto"} <= set(one) for one in told["hyperparameters"])
    shown = clary_here("describe", name)
    assert shown.code == 0
    assert all(one["name"] in shown.out for one in told["hyperparameters"])
