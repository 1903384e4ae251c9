"""`clary train` with each of its options, as a user calls it."""

from __future__ import annotations

import gzip
import json
import signal
import subprocess
import tarfile
from pathlib import Path

import pytest

from clary.algorithms import CATALOGUE
from tests.cli.commands import CLARY, clary, clary_here
from tests.s3_server import S3Server

FILES = {"model.tar.gz", "metrics.json", "report.html", "train.log"}


def kmeans(data: Path, output: Path, *more: str | Path) -> list[str | Path]:
    return ["train", "kmeans", "--train", data, "-p", "k=3", "--output", output, *more]


def model(output: Path) -> bytes:
    return (output / "model.tar.gz").read_bytes()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_training_fills_its_folder_and_ends_with_one_json_object(
    data: Path, tmp_path: Path
) -> None:
    done = clary(*kmeans(data / "iris.csv", tmp_path / "out", "--json"))
    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert names(tmp_path / "out") == FILES
    told = done.json
    assert told["model"] == str(tmp_path / "out" / "model.tar.gz")
    assert set(told["seconds"]) == {"total", "read", "train", "write"}
    history = json.loads((tmp_path / "out" / "metrics.json").read_text())["metrics"]
    assert {name: one["last"] for name, one in history.items()} == told["metrics"]
    # The plain lines of a training that is not watched on a terminal
    assert "channel train: 1 file, " in done.err
    assert "#quality_metric: host=algo-1, train msd" in done.err
    assert "train msd" in (tmp_path / "out" / "train.log").read_text()


def test_without_json_a_table_and_the_paths_are_told(data: Path, tmp_path: Path) -> None:
    done = clary_here(*kmeans(data / "iris.csv", tmp_path))
    assert done.code == 0
    assert done.out.startswith("metric     value\ntrain:msd  ")
    assert f"report   {tmp_path / 'report.html'}" in done.out


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_algorithm_trains_and_its_archive_holds_no_folders(
    name: str, models: dict[str, Path]
) -> None:
    # A table, of those that write one
    assert names(models[name]) - {"output.tar.gz"} == FILES
    with tarfile.open(models[name] / "model.tar.gz") as archive:
        assert ".clary.json" in archive.getnames()
        assert all(member.isfile() for member in archive)


def test_channels_may_be_named_freely_or_by_their_own_options(data: Path, tmp_path: Path) -> None:
    iris = data / "iris.csv"
    tested = clary_here(*kmeans(iris, tmp_path / "a", "--test", iris, "--json")).json
    named = clary_here(*kmeans(iris, tmp_path / "b", "--channel", f"test={iris}", "--json")).json
    assert tested["metrics"]["test:msd"] == named["metrics"]["test:msd"]
    assert model(tmp_path / "a") == model(tmp_path / "b")


def test_a_validation_channel_is_scored(data: Path, tmp_path: Path) -> None:
    tumors = data / "tumors.csv"
    done = clary_here(
        *("train", "xgboost", "--train", tumors, "--validation", tumors, "-p", "num_round=2"),
        *("-p", "objective=binary:logistic", "--output", tmp_path, "--json"),
    )
    assert done.json["metrics"]["validation:logloss"] == done.json["metrics"]["train:logloss"]


@pytest.mark.parametrize("given", ["text/csv;label_size=1", "train=text/csv;label_size=1"])
def test_content_types_are_of_all_channels_or_of_the_named(
    given: str, data: Path, tmp_path: Path
) -> None:
    done = clary_here(
        *kmeans(data / "tumors.csv", tmp_path, "--content-type", given), "--test", data / "iris.csv"
    )
    # The label column of train is dropped
    assert done.code == 1
    assert "channel test: must have 30 features a row, as train has, got" in done.err


def test_a_folder_of_compressed_files_is_one_channel(data: Path, tmp_path: Path) -> None:
    lines = (data / "iris.csv").read_bytes().splitlines(keepends=True)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "0.csv").write_bytes(b"".join(lines[:70]))
    (tmp_path / "parts" / "1.csv.gz").write_bytes(gzip.compress(b"".join(lines[70:])))
    assert clary_here(*kmeans(data / "iris.csv", tmp_path / "file")).code == 0
    assert clary_here(*kmeans(tmp_path / "parts", tmp_path / "folder")).code == 0
    assert model(tmp_path / "file") == model(tmp_path / "folder")


@pytest.mark.parametrize("mode", ["FastFile", "Pipe"])
def test_input_modes_give_the_model_of_file_mode(
    mode: str, data: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    done = clary_here(*kmeans(data / "iris.csv", tmp_path, "--input-mode", mode))
    assert done.code == 0, done.err
    assert model(tmp_path) == model(models["kmeans"])


def test_the_seed_decides(data: Path, tmp_path: Path) -> None:
    for name, seed in (("one", "1"), ("again", "1"), ("two", "2")):
        assert clary_here(*kmeans(data / "iris.csv", tmp_path / name, "--seed", seed)).code == 0
    assert model(tmp_path / "one") == model(tmp_path / "again") != model(tmp_path / "two")


def test_the_seed_is_xgboosts_own_where_that_is_a_hyperparameter(
    data: Path, tmp_path: Path
) -> None:
    given = ["train", "xgboost", "--train", data / "tumors.csv", "-p", "num_round=2"]
    given += ["-p", "subsample=0.5"]
    assert clary_here(*given, "--seed", "7", "--output", tmp_path / "a").code == 0
    assert clary_here(*given, "-p", "seed=7", "--output", tmp_path / "b").code == 0
    assert model(tmp_path / "a") == model(tmp_path / "b")


def test_several_hosts_train_together(data: Path, tmp_path: Path) -> None:
    lines = (data / "iris.csv").read_text().splitlines(keepends=True)
    (tmp_path / "parts").mkdir()
    for part in range(2):
        (tmp_path / "parts" / f"{part}.csv").write_text("".join(lines[part::2]))
    done = clary(
        *("train", "pca", "--train", tmp_path / "parts", "-p", "num_components=2"),
        *("--hosts", "2", "--output", tmp_path / "out", "--json"),
    )
    assert done.code == 0, done.err
    # Three quarters of a per cent of the irises' variance lie beyond two components.
    assert done.json["metrics"]["train:explained_variance"] == pytest.approx(0.9777, abs=1e-3)
    assert "algo-2" in (tmp_path / "out" / "train.log").read_text()


def test_data_may_lie_in_s3(
    data: Path, models: dict[str, Path], s3: S3Server, tmp_path: Path
) -> None:
    uri = s3.put("flowers", "iris/part.csv", (data / "iris.csv").read_bytes())
    done = clary_here(*kmeans(uri.removesuffix("part.csv"), tmp_path))  # type: ignore[arg-type]
    assert done.code == 0, done.err
    assert model(tmp_path) == model(models["kmeans"])


def test_a_model_is_trained_on(data: Path, models: dict[str, Path], tmp_path: Path) -> None:
    earlier = models["kmeans"] / "model.tar.gz"
    done = clary_here(*kmeans(data / "iris.csv", tmp_path, "--channel", f"model={earlier}"))
    assert done.code == 0, done.err
    assert model(tmp_path) != model(models["kmeans"])


def test_checkpoints_are_kept(data: Path, tmp_path: Path) -> None:
    more = ("-p", "epochs=3", "--checkpoints", tmp_path / "kept")
    assert clary_here(*kmeans(data / "iris.csv", tmp_path / "out", *more)).code == 0
    assert any((tmp_path / "kept").iterdir())


def test_an_earlier_training_in_the_folder_is_replaced_and_other_files_stay(
    data: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert clary_here(*kmeans(data / "iris.csv", tmp_path, "-p", "epochs=2")).code == 0
    first = model(tmp_path)
    assert clary_here(*kmeans(data / "iris.csv", tmp_path)).code == 0
    assert model(tmp_path) == model(models["kmeans"]) != first
    assert names(tmp_path) == FILES | {"notes.txt"}


def test_a_training_that_fails_leaves_the_earlier_one(data: Path, tmp_path: Path) -> None:
    assert clary_here(*kmeans(data / "iris.csv", tmp_path)).code == 0
    first = model(tmp_path)
    assert clary_here(*kmeans(data / "nowhere.csv", tmp_path)).code == 1
    assert model(tmp_path) == first
    assert names(tmp_path) == FILES


def test_the_elbow_curve_and_the_instance_are_in_the_report(data: Path, tmp_path: Path) -> None:
    more = ("--elbow", "2..5", "--instance-type", "ml.m5.large")
    assert clary_here(*kmeans(data / "iris.csv", tmp_path, *more)).code == 0
    report = (tmp_path / "report.html").read_text()
    assert "Elbow" in report
    assert "ml.m5.large" in report


def test_a_training_that_is_stopped_keeps_what_it_has(data: Path, tmp_path: Path) -> None:
    given = ["train", "xgboost", "--train", data / "tumors.csv", "-p", "num_round=1000000"]
    process = subprocess.Popen(
        [CLARY, *given, "--output", tmp_path],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert any("[9]#011train-rmse:" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert out.endswith("stopped early: this is what there was\n")
    assert names(tmp_path) == FILES
