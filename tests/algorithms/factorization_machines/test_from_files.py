"""Trainings from files, as the command line and the container start them."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, LIBSVM, PARQUET, RECORDIO, parse_content_type
from clary.codecs.formats import encode
from clary.data.sources import Source
from clary.runtime.launch import Training, launch
from clary.runtime.models import load_model
from clary.spec.channels import InputMode
from tests.algorithms.factorization_machines.training import BINARY, DIGITS, score, some, trained
from tests.cli.commands import clary_here

SETTLED = {**{name: str(value) for name, value in BINARY.items()}, "epochs": "2",
           "factors_lr": "0.01"}  # fmt: skip


def write(folder: Path, rows: Batch, content_type: str, files: int = 1) -> Path:
    """The rows in some files."""
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(rows.rows), files)):
        with (folder / f"part-{number}").open("wb") as out:
            encode([some(rows, part)], out, parse_content_type(content_type))
    return folder


def model_of(folder: Path, mode: InputMode, output: Path, content_type: str) -> bytes:
    sources = [Source("train", str(folder), input_mode=mode, content_type=content_type)]
    settled = {**SETTLED, "feature_dim": "1024"}
    model = launch(Training("factorization-machines", settled, sources, output)).model
    with tarfile.open(model) as archive:
        content = archive.extractfile("model_algo-1")
        assert content
        return content.read()


def test_file_fastfile_and_pipe_and_every_format_give_the_same_bytes(tmp_path: Path) -> None:
    dense = Batch(DIGITS.dense(), DIGITS.label)
    folders = {
        RECORDIO: write(tmp_path / "records", DIGITS, RECORDIO, files=3),
        LIBSVM: write(tmp_path / "libsvm", DIGITS, LIBSVM),
        CSV: write(tmp_path / "csv", dense, CSV),
        PARQUET: write(tmp_path / "parquet", dense, PARQUET),
    }
    modes: tuple[InputMode, ...] = ("File", "FastFile", "Pipe")
    found = {
        model_of(folder, mode, tmp_path / f"{kind.partition('/')[2]}-{mode}", kind)
        for kind, folder in folders.items()
        for mode in (modes if kind == RECORDIO else modes[:1])
    }
    assert len(found) == 1
    alone = trained(DIGITS, SETTLED)
    assert alone.factors.tobytes() in found.pop()


def test_sparse_files_train_score_and_answer_from_the_command_line(tmp_path: Path) -> None:
    train = write(tmp_path / "train", some(DIGITS, slice(0, 1200)), RECORDIO)
    test = some(DIGITS, slice(1200, None))
    output, given = tmp_path / "output", []
    for name, value in SETTLED.items():
        given += ["-p", f"{name}={value}"]
    channels = ["--train", train, "--test", write(tmp_path / "test", test, LIBSVM)]
    done = clary_here(
        "train", "factorization-machines", *channels, *given, "--output", output, "--json"
    )
    assert done.code == 0, done.err
    model = load_model(output / "model.tar.gz")
    scores = score(model, test)  # type: ignore[arg-type]
    assert {name: done.json["metrics"][name] for name in scores} == pytest.approx(scores)
    page = (output / "report.html").read_text()
    for title in ("Calibration", "ROC curve", "Largest linear weights", "Longest factor vectors"):
        assert title in page
    log = (output / "train.log").read_text()
    value = scores["test:binary_f_beta"]
    assert f"#quality_metric: host=algo-1, test binary_f_1.000 <score>={value!r}" in log
    assert "#test_score (algo-1) : ('binary_classification_accuracy'," in log
    told = [line.partition("#metrics ")[2] for line in log.splitlines() if "#metrics " in line]
    metrics = [json.loads(text) for text in told]
    algorithms = {one["Dimensions"]["Algorithm"] for one in metrics}
    assert algorithms == {"factorization-machines"}
    answered = clary_here("predict", output, write(tmp_path / "ask", test, RECORDIO) / "part-0")
    wanted = np.asarray(model.predict(test)["score"])
    found = [one["score"] for one in json.loads(answered.out)["predictions"]]
    np.testing.assert_allclose(found, wanted, rtol=1e-6)
