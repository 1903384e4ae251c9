"""The multi-model container API, as a process over real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, JSON
from tests.runtime.conftest import Models
from tests.runtime.forms import csv_of
from tests.runtime.servers import Reply, Server, model_server

NAMES = ("linear-learner", "xgboost")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with model_server(tmp_path, SAGEMAKER_MULTI_MODEL="true") as one:
        yield one


def load(server: Server, name: str, url: Path | str) -> Reply:
    order = json.dumps({"model_name": name, "url": str(url)}).encode()
    return server.request("POST", "/models", order, {"Content-Type": JSON})


def invoke(server: Server, name: str, row: bytes) -> Reply:
    return server.request("POST", f"/models/{name}/invoke", row, {"Content-Type": CSV})


def test_models_are_loaded_asked_and_unloaded(server: Server, models: Models) -> None:
    assert server.get("/ping").status == 200
    for name in NAMES:
        folder = models[name].root / "model"
        assert load(server, name, folder).status == 200
        described = {"modelName": name, "modelUrl": str(folder)}
        assert json.loads(server.get(f"/models/{name}").body) == described
    for name in NAMES:
        rows = models[name].rows[:1]
        reply = invoke(server, name, csv_of(rows))
        assert reply.status == 200
        score = models[name].model.predict(Batch(rows))["score"][0]
        got = json.loads(reply.body)
        if name == "linear-learner":
            got = got["predictions"][0]["score"]
        assert got == pytest.approx(score, 1e-6)
    assert server.request("DELETE", "/models/xgboost").status == 200
    assert invoke(server, "xgboost", b"1\n").status == 404
    assert server.get("/models/xgboost").status == 404
    assert server.request("DELETE", "/models/xgboost").status == 404


def test_a_model_that_is_loaded_is_not_loaded_again(server: Server, models: Models) -> None:
    folder = models["xgboost"].root / "model"
    assert [load(server, "a", folder).status for _ in range(2)] == [200, 409]


def test_models_are_listed_in_pages(server: Server, models: Models) -> None:
    folder = models["linear-learner"].root / "model"
    for name in ("c", "a", "b"):
        load(server, name, folder)
    first = json.loads(server.get("/models?limit=2").body)
    assert [model["modelName"] for model in first["models"]] == ["a", "b"]
    rest = json.loads(server.get(f"/models?next_page_token={first['nextPageToken']}").body)
    assert [model["modelName"] for model in rest["models"]] == ["c"]
    assert "nextPageToken" not in rest
    assert server.get("/models?limit=x").status == 400


def test_what_models_take_is_bounded(tmp_path: Path, models: Models) -> None:
    folder = models["xgboost"].root / "model"
    size = sum(path.stat().st_size for path in folder.iterdir())
    # One fits at most, two never do
    given = {"SAGEMAKER_MULTI_MODEL": "true", "CLARY_MODEL_MEMORY_BYTES": str(size + 1)}
    with model_server(tmp_path, **given) as server:
        replies = [load(server, name, folder) for name in ("a", "b", "c")]
        loaded = json.loads(server.get("/models").body)["models"]
    assert 507 in {reply.status for reply in replies}
    assert len(loaded) == sum(reply.status == 200 for reply in replies) <= 1


@pytest.mark.parametrize(
    ("order", "status", "told"),
    [
        (b"{", 400, "must be JSON"),
        (b"[]", 400, "must be JSON"),
        (b'{"model_name": "a"}', 400, "must be JSON"),
        (b'{"model_name": "", "url": "x"}', 400, "must be JSON"),
        (b'{"model_name": "a", "url": "/nowhere/at/all"}', 400, "no such file or folder"),
    ],
    ids=["cut", "list", "no-url", "no-name", "nothing-there"],
)
def test_wrong_orders_are_refused(server: Server, order: bytes, status: int, told: str) -> None:
    reply = server.request("POST", "/models", order, {"Content-Type": JSON})
    assert reply.status == status
    assert told in reply.text


def test_an_algorithm_that_does_not_declare_it_is_refused(server: Server, models: Models) -> None:
    reply = load(server, "k", models["kmeans"].root / "model")
    assert reply.status == 400
    assert "kmeans: does not serve several models at once" in reply.text
    assert json.loads(server.get("/models").body) == {"models": []}


def test_other_paths_are_refused(server: Server) -> None:
    assert server.get("/invocations").status == 404
    assert server.get("/models/a/b/c").status == 404
