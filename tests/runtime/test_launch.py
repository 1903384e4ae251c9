"""Trainings started on this machine: one host here, several as processes."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary.data.shards import host_items
from clary.data.sources import Item, Source
from clary.errors import CallerError
from clary.runtime.failure import TrainingFailed
from clary.runtime.launch import Trained, Training, launch
from clary.runtime.models import load_model
from tests.runtime.column_means import ColumnMeansModel
from tests.runtime.trees import rows, write_csv
from tests.s3_server import S3Server
from tests.storage.disk import names_in

pytestmark = pytest.mark.usefixtures("third_party")

RESULTS = ["metrics.json", "model.tar.gz", "report.html", "train.log"]


class Listener:
    """Keeps what it hears, and may act on a line."""

    def __init__(self, act: Callable[[str], None] = lambda line: None) -> None:
        self.lines: list[str] = []
        self.values: list[tuple[str, float, int | None]] = []
        self._act = act

    def log(self, line: str) -> None:
        self.lines.append(line)
        self._act(line)

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        self.values.append((name, value, epoch))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Four files of rows, all of one kind."""
    for i in range(4):
        write_csv(tmp_path / "data" / f"{i}.csv", rows(50, seed=i))
    return tmp_path / "data"


def training(data: Path, output: Path, *, sharded: bool = False, **rest: Any) -> Training:
    distribution: Any = "ShardedByS3Key" if sharded else "FullyReplicated"
    sources = [
        Source("train", str(data), distribution=distribution),
        Source("test", str(data), distribution=distribution),
    ]
    hyperparameters = rest.pop("hyperparameters", {})
    return Training("column-means", hyperparameters, sources, output, **rest)


def means(trained: Trained) -> np.ndarray:
    model = load_model(trained.model)
    assert isinstance(model, ColumnMeansModel)
    return model.means


def test_the_output_folder_gets_model_metrics_report_and_log(data: Path, tmp_path: Path) -> None:
    listener = Listener()
    trained = launch(training(data, tmp_path / "deep" / "output"), listener)
    output = tmp_path / "deep" / "output"
    assert names_in(output) == RESULTS
    assert trained.model == output / "model.tar.gz"
    assert not trained.stopped
    np.testing.assert_allclose(means(trained), [0, 1, 2], atol=1)
    told = json.loads((output / "metrics.json").read_text())
    assert {name: one["last"] for name, one in told["metrics"].items()} == trained.metrics
    assert told["seconds"] == trained.seconds
    assert set(trained.seconds) == {"total", "read", "train", "write"}
    assert told["channels"]["train"]["source"] == str(data)
    log = (output / "train.log").read_text().splitlines()
    assert [re.sub(r"^\[.*?\] ", "", line) for line in log] == listener.lines
    assert ("train:progress", 100.0, None) in listener.values


def test_a_second_training_replaces_the_first_whole(data: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"
    first = launch(training(data, output, seed=1)).model.read_bytes()
    (output / "output.tar.gz").write_text("of the first")
    (output / "mine.txt").write_text("not Clary's")
    second = launch(training(data, output, seed=2)).model.read_bytes()
    assert first != second
    assert names_in(output) == sorted([*RESULTS, "mine.txt"])
    assert launch(training(data, output, seed=1)).model.read_bytes() == first


def test_after_a_failure_the_output_is_as_it_was_and_the_log_tells(
    data: Path, tmp_path: Path
) -> None:
    output = tmp_path / "output"
    launch(training(data, output))
    before = {name: (output / name).read_bytes() for name in RESULTS if name != "train.log"}
    (data / "0.csv").write_text("1,2,3\n4,x,6\n")
    with pytest.raises(CallerError, match=r"0\.csv: line 2, column 2|0\.csv, line 2, column 2"):
        launch(training(data, output))
    assert names_in(output) == RESULTS
    assert {name: (output / name).read_bytes() for name in before} == before
    assert "ERROR" in (output / "train.log").read_text().splitlines()[-1]
    assert "line 2, column 2" in (output / "train.log").read_text()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hyperparameters": {"epoch": 3}}, "Did you mean 'epochs'?"),
        ({"hosts": 0}, "hosts: must be at least 1"),
        ({"options": {"elbow": "2..20"}}, "column-means has no such option"),
    ],
)
def test_what_is_wrong_from_the_start_leaves_no_output_folder(
    change: dict[str, Any], told: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(CallerError) as caught:
        launch(training(data, tmp_path / "output", **change))
    assert told in str(caught.value)
    assert not (tmp_path / "output").exists()


def test_data_that_are_not_there_leave_only_the_log(tmp_path: Path) -> None:
    with pytest.raises(CallerError, match="there is no such file or folder"):
        launch(training(tmp_path / "nothing", tmp_path / "output"))
    assert names_in(tmp_path / "output") == ["train.log"]


def test_an_output_that_is_a_file_is_told(data: Path) -> None:
    with pytest.raises(CallerError, match="cannot be used"):
        launch(training(data, data / "0.csv"))


def test_a_request_to_end_gives_the_model_so_far(data: Path, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if "epoch=1," in line:
            os.kill(os.getpid(), signal.SIGTERM)

    many = {"epochs": "1000000"}
    trained = launch(training(data, tmp_path / "output", hyperparameters=many), Listener(stop))
    assert trained.stopped
    np.testing.assert_allclose(means(trained), [0, 1, 2], atol=1)
    assert names_in(tmp_path / "output") == RESULTS


def test_a_request_to_end_before_there_is_a_model_is_told(data: Path, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if line.startswith("Final configuration"):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(CallerError, match="was stopped before there was a model"):
        launch(training(data, tmp_path / "output"), Listener(stop))
    assert names_in(tmp_path / "output") == ["train.log"]


def test_checkpoints_are_kept_where_they_are_wanted(data: Path, tmp_path: Path) -> None:
    first = training(data, tmp_path / "one", checkpoints=tmp_path / "kept")
    launch(first)
    assert names_in(tmp_path / "kept") == ["column-means-state.1"]
    listener = Listener()
    launch(training(data, tmp_path / "two", checkpoints=tmp_path / "kept"), listener)
    assert "going on after epoch 1" in listener.lines


def test_an_output_folder_is_a_model_to_go_on_from(data: Path, tmp_path: Path) -> None:
    first = launch(training(data, tmp_path / "one"))
    second = Training(
        "column-means",
        {"decay": "1"},
        [Source("train", str(data)), Source("model", str(tmp_path / "one"))],
        tmp_path / "two",
    )
    np.testing.assert_array_equal(means(launch(second)), means(first))


def test_from_another_thread_a_training_runs_without_signals(data: Path, tmp_path: Path) -> None:
    found: list[Trained] = []
    thread = threading.Thread(
        target=lambda: found.append(launch(training(data, tmp_path / "output")))
    )
    thread.start()
    thread.join()
    assert found[0].model.exists()


def test_two_hosts_share_the_files_and_agree_on_one_model(data: Path, tmp_path: Path) -> None:
    listener = Listener()
    trained = launch(training(data, tmp_path / "two", sharded=True, hosts=2), listener)
    assert names_in(tmp_path / "two") == RESULTS
    told = json.loads((tmp_path / "two" / "metrics.json").read_text())
    assert told["hosts"] == 2
    # The rows of both, scored by the leader
    assert told["channels"]["train"]["rows"] == told["channels"]["test"]["rows"] == 200
    assert told["channels"]["train"]["files"] == 4
    every = np.concatenate([np.loadtxt(data / f"{i}.csv", delimiter=",") for i in range(4)])
    expected = np.mean(((every - means(trained)) ** 2).sum(axis=1))
    assert trained.metrics["test:msd"] == pytest.approx(expected, rel=1e-5)
    # Each host saw its own two files: the model is the mean of two trainings on those
    halves = []
    for rank in range(2):
        half = tmp_path / f"half-{rank}"
        for i in (rank, rank + 2):
            write_csv(half / f"{i}.csv", rows(50, seed=i))
        halves.append(means(launch(training(half, tmp_path / f"half-output-{rank}"))))
    np.testing.assert_allclose(means(trained), np.mean(halves, axis=0), rtol=1e-6)
    norms = [value for name, value, epoch in listener.values if name == "train:norm"]
    assert len(norms) == 1


@pytest.mark.parametrize("mode", ["File", "FastFile", "Pipe"])
def test_data_on_s3_give_the_model_of_data_here(
    mode: Any, data: Path, s3: S3Server, tmp_path: Path
) -> None:
    for each in data.iterdir():
        s3.put("rows", f"train/{each.name}", each.read_bytes())
    here = Training("column-means", {}, [Source("train", str(data))], tmp_path / "here")
    there = [Source("train", "s3://rows/train/", input_mode=mode)]
    found = launch(Training("column-means", {}, there, tmp_path / "there"))
    assert found.model.read_bytes() == launch(here).model.read_bytes()


def test_manifests_and_shuffling_on_s3_reach_two_hosts(s3: S3Server, tmp_path: Path) -> None:
    """Each host gets every other file of the shuffled manifest."""
    for i in range(4):
        table = "".join(f"{i},{i},{i}\n" for _ in range(10))
        s3.put("parts", f"data/{i}.csv", table.encode())
    listed = [{"prefix": "s3://parts/data/"}, *(f"{i}.csv" for i in range(4))]
    source = Source(
        "train",
        s3.put("parts", "some.manifest", json.dumps(listed).encode()),
        "ManifestFile",
        distribution="ShardedByS3Key",
        shuffle_seed=3,
    )
    trained = launch(Training("column-means", {"decay": "0.5"}, [source], tmp_path / "two", 2))
    told = json.loads((tmp_path / "two" / "metrics.json").read_text())["channels"]["train"]
    assert (told["files"], told["rows"]) == (4, 40)
    items = [Item(f"{i}.csv", ()) for i in range(4)]
    expected = []
    for rank in range(2):
        mine = [float(item.name[0]) for item in host_items(source, items, rank, 2, epoch=0)]
        # Of ten rows each: half the weight is the later file's
        expected.append(0.25 * mine[0] + 0.5 * mine[1])
    np.testing.assert_allclose(means(trained), [np.mean(expected)] * 3, atol=1e-2)


def test_a_host_that_fails_ends_all_and_its_reason_is_told(data: Path, tmp_path: Path) -> None:
    # The second host's file
    (data / "1.csv").write_text("1,2,3\n4,x,6\n")
    with pytest.raises(CallerError, match="line 2, column 2"):
        launch(training(data, tmp_path / "output", sharded=True, hosts=2))
    assert names_in(tmp_path / "output") == ["train.log"]
    assert "line 2, column 2" in (tmp_path / "output" / "train.log").read_text()


def test_a_host_that_dies_ends_all(data: Path, tmp_path: Path) -> None:
    def kill(line: str) -> None:
        if "epoch=0," in line:
            os.kill(_hosts()["algo-2"], signal.SIGKILL)

    many = {"epochs": "1000000"}
    chosen = training(data, tmp_path / "output", hosts=2, hyperparameters=many)
    with pytest.raises(TrainingFailed, match="algo-2 was ended by signal SIGKILL"):
        launch(chosen, Listener(kill))
    assert names_in(tmp_path / "output") == ["train.log"]
    assert _hosts() == {}


def test_a_request_to_end_reaches_all_hosts(data: Path, tmp_path: Path) -> None:
    def stop(line: str) -> None:
        if "epoch=1," in line:
            os.kill(os.getpid(), signal.SIGTERM)

    many = {"epochs": "1000000"}
    chosen = training(data, tmp_path / "output", hosts=2, hyperparameters=many)
    trained = launch(chosen, Listener(stop))
    assert trained.stopped
    np.testing.assert_allclose(means(trained), [0, 1, 2], atol=1)
    assert _hosts() == {}


def _hosts() -> dict[str, int]:
    """The processes that run `train` for this one, by their host's name."""
    found = {}
    for each in Path("/proc").glob("[0-9]*"):
        try:
            parent = each.joinpath("stat").read_text().rpartition(")")[2].split()[1]
            environment = each.joinpath("environ").read_text()
        except OSError:
            continue
        root = re.search(r"CLARY_ML_ROOT=([^\0]*)", environment)
        if int(parent) == os.getpid() and root:
            found[Path(root[1]).name] = int(each.name)
    return found
