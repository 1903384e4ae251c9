"""Maps from files, as the command line and the container start them."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from clary.algorithms.tsne.model import TSNEModel
from clary.codecs.batch import Batch
from clary.codecs.content_type import parse_content_type
from clary.codecs.formats import encode
from clary.data.sources import Source
from clary.runtime.launch import Training, launch
from clary.runtime.models import load_model
from clary.spec.channels import InputMode
from tests.algorithms.tsne.training import DIGIT, DIGITS, QUICK, trained
from tests.cli.commands import clary_here

HYPERPARAMETERS = {name: str(value) for name, value in QUICK.items()}
ROWS, LABELS = DIGITS[:200], DIGIT[:200]


def write(folder: Path, batch: Batch, content_type: str, files: int = 2) -> Path:
    folder.mkdir()
    for number, part in enumerate(np.array_split(np.arange(batch.rows), files)):
        with (folder / f"part-{number}").open("wb") as out:
            cut = batch.slice(int(part[0]), int(part[-1]) + 1)
            encode([cut], out, parse_content_type(content_type))
    return folder


def table_of(output: Path) -> list[list[str]]:
    with tarfile.open(output / "output.tar.gz") as archive:
        content = archive.extractfile("embedding.csv")
        assert content
        return list(csv.reader(io.TextIOWrapper(content)))


@pytest.mark.parametrize(
    "content_type",
    [
        "text/csv;label_size=1",
        "application/x-parquet;label_size=1",
        "text/libsvm",
        "application/x-recordio-protobuf",
        "application/jsonlines",
    ],
)
def test_labels_of_every_format_color_the_map_and_stand_in_the_table(
    content_type: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "train", Batch(ROWS, LABELS), content_type)
    sources = [Source("train", str(folder), content_type=content_type)]
    trained_ = launch(Training("tsne", HYPERPARAMETERS, sources, tmp_path / "output"))
    model = load_model(trained_.model)
    assert isinstance(model, TSNEModel)
    np.testing.assert_array_equal(model.label, LABELS)
    # Sparse rows are reduced by other sums
    if content_type != "text/libsvm":
        assert model.places.tobytes() == trained(ROWS).places.tobytes()
    head, *lines = table_of(tmp_path / "output")
    assert head == ["row", "label", "x", "y"]
    assert [line[:2] for line in lines] == [[str(i), f"{x:g}"] for i, x in enumerate(LABELS)]


@pytest.mark.parametrize("content_type", ["text/csv", "text/libsvm", "application/jsonlines"])
def test_formats_without_labels_have_none(content_type: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "train", Batch(ROWS), content_type)
    sources = [Source("train", str(folder))]
    launch(Training("tsne", HYPERPARAMETERS, sources, tmp_path / "output"))
    head, *lines = table_of(tmp_path / "output")
    assert (head, len(lines)) == (["row", "x", "y"], 200)


def test_rows_beyond_the_sample_are_read_again_in_every_mode(tmp_path: Path) -> None:
    folder = write(tmp_path / "train", Batch(ROWS), "text/csv")
    modes: tuple[InputMode, ...] = ("File", "FastFile", "Pipe")
    for mode in modes:
        sources = [Source("train", str(folder), input_mode=mode)]
        hyperparameters = HYPERPARAMETERS | {"sample_size": "120"}
        launch(Training("tsne", hyperparameters, sources, tmp_path / mode))
    in_files = table_of(tmp_path / "File")
    assert len(in_files) == 201
    assert table_of(tmp_path / "FastFile") == in_files
    assert table_of(tmp_path / "Pipe") == in_files


def test_two_hosts_make_the_map_of_one(tmp_path: Path) -> None:
    folder = write(tmp_path / "train", Batch(ROWS, LABELS), "text/csv;label_size=1")
    kind = "text/csv;label_size=1"
    sources = [Source("train", str(folder), distribution="ShardedByS3Key", content_type=kind)]
    for hosts in (1, 2):
        launch(Training("tsne", HYPERPARAMETERS, sources, tmp_path / str(hosts), hosts))
    log = (tmp_path / "2" / "train.log").read_text()
    assert "the leader makes the map, of 200 rows of 2 hosts" in log
    assert table_of(tmp_path / "2") == table_of(tmp_path / "1")


def test_the_command_line_maps_places_and_draws(tmp_path: Path) -> None:
    train = write(tmp_path / "train", Batch(ROWS, LABELS), "text/csv;label_size=1")
    test = write(tmp_path / "test", Batch(DIGITS[200:260], DIGIT[200:260]), "text/csv;label_size=1")
    given = [f"{name}={value}" for name, value in HYPERPARAMETERS.items()]
    told = clary_here(
        *("train", "tsne", "--train", train, "--test", test, "--output", tmp_path / "map"),
        *("--content-type", "text/csv;label_size=1", "--json"),
        *(part for one in given for part in ("-p", one)),
    )
    assert told.code == 0, told.err
    assert {"train:kl_divergence", "train:trustworthiness", "test:trustworthiness"} <= set(
        told.json["metrics"]
    )
    page = (tmp_path / "map" / "report.html").read_text()
    assert page.count('class="dot') == 200
    assert "row 7 (" in page
    new = tmp_path / "new.csv"
    np.savetxt(new, DIGITS[260:262], delimiter=",", fmt="%g")
    answered = clary_here("predict", tmp_path / "map", new, "--accept", "application/json")
    places = [one["embedding"] for one in json.loads(answered.out)["predictions"]]
    np.testing.assert_allclose(
        places, trained(ROWS).predict(Batch(DIGITS[260:262]))["embedding"], rtol=1e-6
    )
    inspected = clary_here("inspect", tmp_path / "map", "--json").json
    assert json.dumps(inspected).count("features_compared") == 1


def test_labels_on_some_rows_only_are_refused(tmp_path: Path) -> None:
    rows = [{"features": row.tolist()} for row in ROWS[:20]]
    rows[3]["label"] = 2.0  # type: ignore[assignment]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    told = clary_here(
        *("train", "tsne", "--train", tmp_path / "rows.jsonl", "--output", tmp_path / "map")
    )
    assert told.code == 1
    assert "label" in told.err
