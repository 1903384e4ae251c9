"""Requests in all their forms, and those that cannot be answered."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary import settings
from clary.algorithms.ipinsights.model import IPInsightsModel
from clary.data.sources import Source
from clary.errors import CallerError
from clary.runtime.launch import Training, launch
from clary.runtime.models import load_model
from clary.runtime.negotiate import answer, warm
from tests.algorithms.ipinsights.training import HELD_OUT, TRAIN, batch, bytes_of, trained
from tests.cli.commands import clary_here

MODEL = trained(TRAIN[:1500], epochs=2)
PAIRS = [("alice", "192.0.2.7"), ("bob", "198.51.100.20")]
BODIES = {
    "text/csv": b"alice, 192.0.2.7\nbob,198.51.100.20\n",
    "application/json": json.dumps(
        {
            "instances": [
                {"data": {"features": {"values": ["alice", "192.0.2.7"]}}},
                {"features": ["bob", "198.51.100.20"]},
            ]
        }
    ).encode(),
    "application/jsonlines": b'{"data": {"features": {"values": ["alice", "192.0.2.7"]}}}\n'
    b'{"features": ["bob", "198.51.100.20"]}\n',
}


def asked(body: bytes, content_type: str | None, accept: str | None = None) -> Any:
    found, _ = answer(MODEL, body, content_type, accept, settings.serving())
    lines = found.decode().splitlines()
    return json.loads(found) if len(lines) == 1 else [json.loads(line) for line in lines]


@pytest.mark.parametrize("content_type", [*BODIES, None])
def test_the_documented_requests_get_the_documented_answers(content_type: str | None) -> None:
    told = asked(BODIES[content_type or "text/csv"], content_type)
    scores = MODEL.predict(batch(PAIRS))["dot_product"]
    assert [list(one) for one in told["predictions"]] == [["dot_product"]] * 2
    assert [one["dot_product"] for one in told["predictions"]] == pytest.approx(scores.tolist())


@pytest.mark.parametrize(
    "accept", ["application/jsonlines; verbose=True", "application/json;verbose=true"]
)
def test_verbose_answers_hold_both_vectors_whose_product_is_the_score(accept: str) -> None:
    told = asked(BODIES["text/csv"], "text/csv", accept)
    for one in told["predictions"] if isinstance(told, dict) else told:
        product = np.dot(one["entity_embedding"], one["ip_embedding"])
        assert product == pytest.approx(one["dot_product"], rel=1e-4, abs=1e-5)
        assert list(one) == ["dot_product", "entity_embedding", "ip_embedding"]


def test_an_entity_that_train_lacks_has_the_vector_of_where_it_hashes() -> None:
    known = {who for who, _ in TRAIN}
    names = [f"stranger {at}" for at in range(2000)]
    found = MODEL.predict(batch([(name, "192.0.2.7") for name in names]))["entity_embedding"]
    assert not known & set(names)
    # 2,000 strangers in 1,000 rows meet
    assert 500 < len(np.unique(found, axis=0)) < 1000


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"a,192.0.2.7\nb,999.1.2.3\n", "text/csv", "line 2, column 2 .ip.: must be an IPv4 or"),
        (b"a,192.0.2.7\n ,192.0.2.7\n", "text/csv", "line 2, column 1 .entity.: must not be empty"),
        (b"a,192.0.2.7\nb\n", "text/csv", r"line 2: must have 2 columns \(entity, ip\)"),
        (b"a,192.0.2.7,1\n", "text/csv", "line 1: must have 2 columns"),
        (b'{"instances": [{"features": ["a", "192.0.2.7"]}, {"features": ["b", "1.2.3"]}]}',
         "application/json", "instance 2, column 2 .ip.: must be an IPv4 or IPv6 address"),
        (b'{"instances": [{"features": ["a"]}]}', "application/json", "instance 1, features"),
        (b'{"features": ["", "192.0.2.7"]}', "application/jsonlines", "line 1, column 1"),
        (b'{"features": ["a", null]}', "application/jsonlines", "must be a string, got 'null'"),
        (b"a,2001:db8::1\n", "text/csv", "must be an IPv4 address, as all are"),
        (b"", "text/csv", "holds no rows"),
    ],
)  # fmt: skip
def test_what_is_no_pair_is_refused_and_its_place_told(
    body: bytes, content_type: str, message: str
) -> None:
    with pytest.raises(CallerError, match=message):
        asked(body, content_type)


def test_a_server_warms_up_with_a_pair() -> None:
    warm(MODEL, settings.serving())


def test_a_saved_model_is_the_same(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    assert IPInsightsModel.recognizes(tmp_path)
    again = IPInsightsModel.load(tmp_path, MODEL.params.values())
    assert bytes_of(again) == bytes_of(MODEL)
    with pytest.raises(CallerError, match="has no manifest"):
        IPInsightsModel.load(tmp_path)


@pytest.mark.parametrize("name", ["entity_vectors.npy", "ip_encoder.npy"])
def test_damaged_files_are_told(name: str, tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    params = MODEL.params.values()
    whole = (tmp_path / name).read_bytes()
    for damaged, message in ((whole[:100], "damaged or foreign"), (b"", "damaged or foreign")):
        (tmp_path / name).write_bytes(damaged)
        with pytest.raises(CallerError, match=message):
            IPInsightsModel.load(tmp_path, params)
    np.save(tmp_path / name, np.zeros((7, 3), np.float32))
    with pytest.raises(CallerError, match="do not fit together"):
        IPInsightsModel.load(tmp_path, params)
    (tmp_path / name).unlink()
    with pytest.raises(CallerError, match=f"has no file {name}"):
        IPInsightsModel.load(tmp_path, params)


def test_the_command_line_trains_scores_and_shows_the_most_suspicious_pairs(tmp_path: Path) -> None:
    for name, rows in (
        ("train", TRAIN[:2000]),
        ("validation", [*HELD_OUT[:500], ("person 1", "7.7.7.7")]),
    ):
        (tmp_path / f"{name}.csv").write_text("".join(f"{who}, {ip}\n" for who, ip in rows))
    settings_ = {
        "num_entity_vectors": 1000,
        "vector_dim": 16,
        "learning_rate": 0.02,
        "mini_batch_size": 300,
    }
    given = [part for name, value in settings_.items() for part in ("-p", f"{name}={value}")]
    channels = [
        part for name in ("train", "validation") for part in (f"--{name}", tmp_path / f"{name}.csv")
    ]
    output = tmp_path / "output"
    told = clary_here("train", "ipinsights", *channels, *given, "--output", output, "--json")
    assert told.code == 0, told.err
    assert told.json["metrics"]["validation:discriminator_auc"] > 0.95
    page = (output / "report.html").read_text()
    assert "Scores of real pairs" in page
    assert "The most suspicious pairs" in page
    assert "7.7.7.7" in page
    again = clary_here("evaluate", output, "--test", tmp_path / "validation.csv", "--json")
    assert again.json["metrics"] == pytest.approx(
        {"validation:discriminator_auc": told.json["metrics"]["validation:discriminator_auc"]}
    )


def test_training_data_that_are_no_pairs_are_refused_with_file_line_and_column(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "train"
    folder.mkdir()
    (folder / "a.csv").write_text("".join(f"{who},{ip}\n" for who, ip in TRAIN[:3000]))
    (folder / "b.csv").write_text(
        "".join(f"{who},{ip}\n" for who, ip in TRAIN[:200]) + "eve,1.2.3.400\n"
    )
    training = Training(
        "ipinsights",
        {"num_entity_vectors": "10", "vector_dim": "4"},
        [Source("train", str(folder))],
        tmp_path / "output",
    )
    with pytest.raises(CallerError, match=r"b.csv, line 201, column 2 \(ip\).*'1.2.3.400'"):
        launch(training)


def test_the_archive_holds_plain_arrays(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("".join(f"{who},{ip}\n" for who, ip in TRAIN[:300]))
    settings_ = {"num_entity_vectors": "100", "vector_dim": "8", "epochs": "1", "feature_dim": "2"}
    outcome = launch(
        Training("ipinsights", settings_, [Source("train", str(path))], tmp_path / "out")
    )
    with tarfile.open(outcome.model) as archive:
        names = set(archive.getnames())
    assert {"entity_vectors.npy", "ip_encoder.npy"} <= {name.removeprefix("./") for name in names}
    assert load_model(outcome.model).summary()["num_entity_vectors"] == 100


@pytest.mark.parametrize("name", ["<anonymous>", "{0}", "[x]", "%PDF", "7:1 8:2"])
def test_an_entity_may_begin_as_another_format_does(name: str, tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text(f"{name}, 192.0.2.7\n" * 50)
    source = Source("train", str(path), content_type="text/csv")
    settings_ = {"num_entity_vectors": "10", "vector_dim": "4", "epochs": "1"}
    assert launch(Training("ipinsights", settings_, [source], tmp_path / "out")).model.exists()


def test_binary_data_that_are_declared_as_csv_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "train"
    path.write_bytes(b"PAR1" + bytes(100))
    source = Source("train", str(path), content_type="text/csv")
    settings_ = {"num_entity_vectors": "10", "vector_dim": "4"}
    with pytest.raises(CallerError, match="NUL byte"):
        launch(Training("ipinsights", settings_, [source], tmp_path / "out"))
