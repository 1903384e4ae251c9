"""Trainings from files, as the command line and the container start them."""

from __future__ import annotations

import re
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary.codecs.batch import Batch
from clary.codecs.content_type import parse_content_type
from clary.codecs.formats import encode
from clary.data.sources import Source
from clary.errors import CallerError
from clary.runtime.launch import Training, launch
from clary.spec.channels import InputMode
from tests.algorithms.kmeans.training import DIGITS, ssd, trained
from tests.cli.commands import clary_here

SEVERAL_BATCHES = {"k": "10", "mini_batch_size": "400", "epochs": "2"}


def write(folder: Path, rows: np.ndarray, content_type: str = "text/csv", files: int = 1) -> Path:
    """The rows in some files. Digits are whole numbers, which every format holds exactly."""
    folder.mkdir()
    for number, part in enumerate(np.array_split(rows, files)):
        with (folder / f"part-{number}").open("wb") as out:
            encode([Batch(np.ascontiguousarray(part))], out, parse_content_type(content_type))
    return folder


def model_of(folder: Path, mode: InputMode, output: Path, content_type: str) -> bytes:
    sources = [Source("train", str(folder), input_mode=mode, content_type=content_type)]
    trained = launch(Training("kmeans", SEVERAL_BATCHES, sources, output))
    with tarfile.open(trained.model) as archive:
        content = archive.extractfile("model_algo-1")
        assert content
        return content.read()


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-recordio-protobuf"])
def test_file_fastfile_and_pipe_and_memory_give_the_same_bytes(
    content_type: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "train", DIGITS, content_type, files=3)
    modes: tuple[InputMode, ...] = ("File", "FastFile", "Pipe")
    found = {
        model_of(folder, mode, tmp_path / mode, f"{content_type};label_size=0") for mode in modes
    }
    assert len(found) == 1
    centers = trained(**SEVERAL_BATCHES).centers
    assert found.pop()[64:-8] == centers.tobytes()


def test_the_command_line_trains_scores_and_draws_the_elbow(tmp_path: Path) -> None:
    train, test = write(tmp_path / "train", DIGITS[:1200]), write(tmp_path / "test", DIGITS[1200:])
    output = tmp_path / "output"
    channels = ["--train", train, "--test", test, "--output", output, "--elbow", "2..6"]
    scores = 'eval_metrics=["msd","ssd"]'
    told = clary_here("train", "kmeans", *channels, "-p", "k=10", "-p", scores, "--json")
    assert told.code == 0, told.err
    metrics = told.json["metrics"]
    loss = ssd(trained(DIGITS[:1200], k=10).centers, DIGITS[1200:])
    assert metrics["test:ssd"] == pytest.approx(loss, rel=1e-5)
    assert metrics["test:msd"] == pytest.approx(loss / 597, rel=1e-5)
    page = (output / "report.html").read_text()
    for title in ("Elbow", "Cluster sizes", "Distances to the nearest center", "Centers"):
        assert title in page
    log = (output / "train.log").read_text()
    assert re.search(r"#quality_metric: host=\S+, test ssd <loss>=(\S+)", log)


@pytest.mark.parametrize(
    ("rows", "hyperparameters", "said"),
    [
        (DIGITS[:4], {"k": "5"}, "as many rows as k, 5, got 4"),
        (DIGITS[:9], {"k": "5", "feature_dim": "65"}, "65"),
        (np.where(DIGITS[:9] == 5, np.nan, DIGITS[:9]), {"k": "5"}, "line 1, column"),
        (np.where(DIGITS[:9] == 5, np.inf, DIGITS[:9]), {"k": "5"}, "line 1, column"),
    ],
    ids=["few-rows", "feature-dim", "nan", "infinity"],
)
def test_files_that_cannot_be_clustered_are_told_in_one_sentence_and_nothing_is_left(
    rows: np.ndarray, hyperparameters: dict[str, Any], said: str, tmp_path: Path
) -> None:
    (tmp_path / "train").mkdir()
    np.savetxt(tmp_path / "train" / "rows.csv", rows, fmt="%g", delimiter=",")
    sources = [Source("train", str(tmp_path / "train"))]
    with pytest.raises(CallerError, match=said) as refused:
        launch(Training("kmeans", hyperparameters, sources, tmp_path / "output"))
    assert len(refused.value.faults) == 1
    assert not list((tmp_path / "output").glob("model*"))
