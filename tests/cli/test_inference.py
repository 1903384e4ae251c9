"""`clary predict`, `evaluate`, `inspect` and `serve`: what a user asks of a model."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.csv
import pyarrow.parquet
import pytest

from clary.algorithms import CATALOGUE, declaration
from tests.cli.commands import CLARY, clary, clary_here
from tests.s3_server import S3Server

ROWS = {
    "kmeans": "iris.csv",
    "pca": "iris.csv",
    "knn": "tumors-rows.csv",
    "linear-learner": "tumors-rows.csv",
    "randomcutforest": "iris.csv",
    "factorization-machines": "tumors-rows.jsonl",
    "tsne": "iris.csv",
    "svm": "tumors-rows.csv",
    "xgboost": "tumors-rows.csv",
    "ipinsights": "logins.csv",
}
TYPES = {".csv": "text/csv", ".jsonl": "application/jsonlines"}


@contextmanager
def served(model: Path) -> Iterator[http.client.HTTPConnection]:
    """A connection to `clary serve`, which must end with 0 when asked to."""
    process = subprocess.Popen(
        [CLARY, "serve", model, "--port", "0"], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        ready = process.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)$", ready)
        assert found, ready + process.stderr.read()
        yield http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


@pytest.mark.parametrize("name", CATALOGUE)
def test_predict_writes_what_the_endpoint_answers(
    name: str, data: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    rows = data / ROWS[name]
    inference = declaration(name).inference
    with served(models[name]) as endpoint:
        endpoint.request("GET", "/ping")
        assert endpoint.getresponse().read() == b""
        for accept in inference.returns:
            headers = {"Content-Type": TYPES[rows.suffix], "Accept": accept}
            endpoint.request("POST", "/invocations", rows.read_bytes(), headers)
            answer = endpoint.getresponse()
            body = answer.read()
            assert answer.status == 200, body
            output = tmp_path / "answer"
            done = clary_here("predict", models[name], rows, "--accept", accept, "--output", output)
            assert (done.code, done.out) == (0, ""), done.err
            assert output.read_bytes() == body


def test_answers_go_to_standard_output_and_the_archive_is_a_model_too(
    data: Path, models: dict[str, Path]
) -> None:
    done = clary("predict", models["kmeans"] / "model.tar.gz", data / "iris.csv")
    assert len(json.loads(done.out)["predictions"]) == 150
    assert done.err == ""


def test_the_answers_type_follows_from_the_files_name(
    data: Path, models: dict[str, Path], tmp_path: Path
) -> None:
    for name, first in (("a.jsonl", '{"clos'), ("a.csv", "0.0,0.14"), ("a.json", '{"pred')):
        done = clary_here("predict", models["kmeans"], data / "iris.csv", "-o", tmp_path / name)
        assert done.code == 0
        assert (tmp_path / name).read_text().startswith(first)


def test_rows_may_be_compressed(data: Path, models: dict[str, Path], tmp_path: Path) -> None:
    packed = tmp_path / "iris.csv.gz"
    packed.write_bytes(gzip.compress((data / "iris.csv").read_bytes()))
    plain = clary_here("predict", models["pca"], data / "iris.csv").out
    assert clary_here("predict", models["pca"], packed).out == plain


def test_the_content_type_may_be_said(data: Path, models: dict[str, Path]) -> None:
    rows = data / "iris.csv"
    said = clary_here("predict", models["pca"], rows, "--content-type", "text/csv")
    assert said.out == clary_here("predict", models["pca"], rows).out
    wrong = clary_here("predict", models["pca"], rows, "--content-type", "application/json")
    assert (wrong.code, wrong.out) == (1, "")


def test_evaluate_scores_as_the_training_did(data: Path, tmp_path: Path) -> None:
    iris = data / "iris.csv"
    given = ["train", "kmeans", "-p", "k=3", "--train", iris, "--test", iris, "--output", tmp_path]
    trained = clary_here(*given, "--json").json["metrics"]
    scored = clary_here("evaluate", tmp_path, "--test", iris, "--json").json["metrics"]
    assert scored == {"test:msd": trained["test:msd"]}
    shown = clary_here("evaluate", tmp_path, "--test", iris).out
    assert shown == f"metric    value\ntest:msd  {trained['test:msd']:.6g}\n"


def test_evaluate_reads_labels_and_other_formats_and_s3(
    data: Path, models: dict[str, Path], s3: S3Server, tmp_path: Path
) -> None:
    options = pyarrow.csv.ReadOptions(autogenerate_column_names=True)
    table = pyarrow.csv.read_csv(data / "tumors.csv", read_options=options)
    pyarrow.parquet.write_table(table, tmp_path / "tumors.parquet")
    uri = s3.put("tumors", "test/rows.csv", (data / "tumors.csv").read_bytes())
    scores = [
        clary_here("evaluate", models["xgboost"], "--test", where, "--json").json["metrics"]
        for where in (data / "tumors.csv", tmp_path / "tumors.parquet", uri)
    ]
    assert scores[0] == scores[1] == scores[2]
    # Three trees tell all but few of their own training rows apart.
    assert scores[0]["validation:logloss"] < 0.4


def test_evaluate_takes_a_content_type(data: Path, models: dict[str, Path]) -> None:
    given = ["evaluate", models["linear-learner"], "--test", data / "tumors.csv", "--json"]
    scores = clary_here(*given, "--content-type", "text/csv;label_size=1").json["metrics"]
    assert scores == clary_here(*given).json["metrics"]
    # Logistic regression gets above 0.95 of these tumors right.
    assert scores["test:binary_classification_accuracy"] > 0.95


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("kmeans", {"k", "features", "centers"}),
        ("pca", {"num_components", "components", "singular_values"}),
        ("linear-learner", {"coefficients", "bias", "threshold"}),
        ("factorization-machines", {"bias", "largest_weights", "longest_vectors"}),
        ("svm", {"kernel", "gamma", "support_vectors_by_class"}),
        ("xgboost", {"objective", "rounds", "importances"}),
    ],
)
def test_inspect_shows_what_is_inside(name: str, keys: set[str], models: dict[str, Path]) -> None:
    told = clary_here("inspect", models[name], "--json")
    assert (told.code, told.json["algorithm"]) == (0, name)
    assert keys <= set(told.json)
    shown = clary_here("inspect", models[name]).out
    assert shown.startswith(f"algorithm: {name}\n")
    assert max(map(len, shown.splitlines())) < 400


def test_serve_refuses_an_address_that_is_taken(models: dict[str, Path]) -> None:
    with served(models["kmeans"]) as endpoint:
        done = clary("serve", models["kmeans"], "--port", str(endpoint.port))
    assert done.code == 1
    assert f"address 127.0.0.1:{endpoint.port}: cannot be listened on" in done.err


def test_serve_tells_how_much_it_takes_at_once(models: dict[str, Path]) -> None:
    with served(models["pca"]) as endpoint:
        endpoint.request("GET", "/execution-parameters")
        told = json.loads(endpoint.getresponse().read())
    assert set(told) == {"MaxConcurrentTransforms", "BatchStrategy", "MaxPayloadInMB"}
