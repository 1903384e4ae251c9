"""Trainings from files, as the command line and the container start them."""

from __future__ import annotations

import json
from pathlib import Path

import faiss
import numpy as np
import pytest

from clary.codecs.batch import Batch
from clary.codecs.content_type import parse_content_type
from clary.codecs.formats import encode
from clary.data.sources import Source
from clary.runtime.launch import Training, launch
from clary.runtime.models import load_model
from clary.spec.channels import InputMode
from tests.algorithms.knn.training import DIGITS, trained
from tests.cli.commands import clary_here
from tests.codecs.record_schema import framed
from tests.codecs.records import record

SAMPLED = {"k": "5", "predictor_type": "classifier", "sample_size": "300", "mini_batch_size": "100"}


def write(path: Path, batch: Batch, content_type: str = "text/csv") -> Path:
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as out:
        encode([batch], out, parse_content_type(content_type))
    return path


def _record(row: list[float], label: float) -> bytes:
    message = record(row, label=[label], kind="float64", label_kind="float64")
    return framed(message.SerializeToString())


@pytest.mark.parametrize("content_type", ["text/csv", "application/x-recordio-protobuf"])
def test_file_fastfile_and_pipe_give_the_sample_of_memory(
    content_type: str, tmp_path: Path
) -> None:
    write(tmp_path / "train" / "rows", DIGITS[0], content_type)
    modes: tuple[InputMode, ...] = ("File", "FastFile", "Pipe")
    archives = []
    for mode in modes:
        train = Source("train", str(tmp_path / "train"), input_mode=mode, content_type=content_type)
        found = launch(Training("knn", SAMPLED, [train], tmp_path / mode))
        archives.append(found.model.read_bytes())
    assert archives[0] == archives[1] == archives[2]
    wanted = trained(DIGITS[0], sample_size=300)
    index = load_model(tmp_path / "File" / "model.tar.gz").searcher.index  # type: ignore[attr-defined]
    assert np.array_equal(
        faiss.serialize_index(index), faiss.serialize_index(wanted.searcher.index)
    )


def test_records_of_float64_train(tmp_path: Path) -> None:
    rows = zip(DIGITS[0].dense().tolist(), DIGITS[0].labels().tolist(), strict=True)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "rows").write_bytes(b"".join(_record(x, y) for x, y in rows))
    source = Source("train", str(tmp_path / "train"))
    found = load_model(launch(Training("knn", SAMPLED, [source], tmp_path / "output")).model)
    wanted = trained(DIGITS[0], sample_size=300).predict(DIGITS[1])
    assert np.array_equal(found.predict(DIGITS[1])["distances"], wanted["distances"])


def test_the_command_line_trains_scores_inspects_and_answers(tmp_path: Path) -> None:
    train = write(tmp_path / "rows" / "train.csv", DIGITS[0])
    test = write(tmp_path / "rows" / "test.csv", DIGITS[1])
    model = tmp_path / "model"
    settings = ["-p", "k=3", "-p", "predictor_type=classifier", "--output", str(model), "--json"]
    done = clary_here("train", "knn", "--train", str(train), "--test", str(test), *settings)
    assert done.code == 0, done.err
    accuracy = done.json["metrics"]["test:accuracy"]
    assert accuracy > 0.98
    assert "#test_score (algo-1) : ('accuracy', " in (model / "train.log").read_text()
    assert "test macro_f_1.000 <score>=" in (model / "train.log").read_text()
    scored = clary_here("evaluate", str(model), "--test", str(test), "--json")
    assert scored.json["metrics"]["test:accuracy"] == accuracy
    told = clary_here("inspect", str(model), "--json").json
    assert (told["k"], told["rows"], told["features"]) == (3, DIGITS[0].rows, 64)
    asked = write(tmp_path / "asked.csv", Batch(DIGITS[1].dense()[:2]))
    accept = ("--accept", "application/json; verbose=true")
    answers = json.loads(clary_here("predict", str(model), str(asked), *accept).out)
    assert [len(one["labels"]) for one in answers["predictions"]] == [3, 3]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"k": "301"}, "k: must be at most the rows that were sampled, 300, got 301"),
        (
            {"dimension_reduction_type": "fjlt", "dimension_reduction_target": "64"},
            "dimension_reduction_target: must be below feature_dim, 64, got 64",
        ),
        (
            {"index_type": "faiss.IVFFlat", "faiss_index_ivf_nlists": "301"},
            "faiss_index_ivf_nlists: needs a sampled row for each cell",
        ),
    ],
)
def test_what_cannot_be_trained_is_refused_in_a_sentence_and_leaves_nothing(
    settings: dict[str, str], said: str, tmp_path: Path
) -> None:
    train = write(tmp_path / "train.csv", DIGITS[0])
    given = [f"-p{name}={value}" for name, value in (SAMPLED | settings).items()]
    output = tmp_path / "output"
    done = clary_here("train", "knn", "--train", str(train), *given, "--output", str(output))
    assert done.code == 1
    assert said in done.err
    assert "Traceback" not in done.err
    assert not (output / "model.tar.gz").exists()
