"""Whatever comes in a request, the answer is one of SageMaker's statuses, and it comes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, JSON, JSONLINES, LIBSVM, RECORDIO, parse_content_type
from clary.codecs.formats import encode
from tests.runtime.conftest import Models, Trained
from tests.runtime.servers import Server, model_server

STATUSES = {200, 204, 400, 406, 413, 415}
TYPES = [None, CSV, JSON, JSONLINES, LIBSVM, RECORDIO, "text/csv;label_size=9", "text/html", ";;="]
ACCEPTS = [None, "*/*", CSV, JSON, JSONLINES, RECORDIO, "text/html", "text/csv;q=x,,;q=0"]

SCRAPS = st.text("0123456789.,:;+-eEnaif \t\r\n\"'[]{}", max_size=200)
NUMBERS = st.integers() | st.floats() | st.none() | st.booleans() | st.text(max_size=5)
TENSORS = st.fixed_dictionaries(
    {},
    optional={
        "values": st.lists(NUMBERS, max_size=5),
        "keys": st.lists(NUMBERS, max_size=5),
        "shape": st.lists(NUMBERS, max_size=2),
    },
)
FEATURES = st.lists(NUMBERS, max_size=6) | TENSORS | st.recursive(NUMBERS, st.lists, max_leaves=8)
INSTANCES = st.one_of(
    st.fixed_dictionaries({"features": FEATURES}),
    st.fixed_dictionaries({"data": st.fixed_dictionaries({"features": FEATURES}) | FEATURES}),
    st.dictionaries(st.sampled_from(["data", "features", "in0", "configuration"]), FEATURES),
    FEATURES,
)
DOCUMENTS = st.one_of(
    st.fixed_dictionaries({"instances": st.lists(INSTANCES, max_size=4) | FEATURES}), INSTANCES
)
BODIES = st.one_of(
    st.binary(max_size=300),
    SCRAPS.map(str.encode),
    st.text(max_size=100).map(lambda text: text.encode("utf-8", "surrogatepass")),
    DOCUMENTS.map(lambda document: json.dumps(document).encode()),
    st.lists(INSTANCES, max_size=3).map(lambda lines: "\n".join(map(json.dumps, lines)).encode()),
)


# k-means stands for the models whose answers the codecs write, XGBoost writes its own
@pytest.fixture(scope="module", params=["kmeans", "xgboost"])
def target(request: pytest.FixtureRequest, models: Models) -> Iterator[tuple[Server, Trained]]:
    trained = models[request.param]
    with model_server(trained.root) as server:
        yield server, trained
        assert server.log is not None
        assert "Traceback" not in server.log.read_text()


@settings(max_examples=400)
@given(
    body=BODIES,
    content_type=st.sampled_from(TYPES),
    accept=st.sampled_from(ACCEPTS),
)
def test_any_body_has_an_answer(
    target: tuple[Server, Trained], body: bytes, content_type: str | None, accept: str | None
) -> None:
    server, _ = target
    assert server.invoke(body, content_type, accept).status in STATUSES


@settings(max_examples=400)
@given(data=st.data(), content_type=st.sampled_from([CSV, JSON, JSONLINES, LIBSVM, RECORDIO]))
def test_any_damage_to_a_body_has_an_answer(
    target: tuple[Server, Trained], data: st.DataObject, content_type: str
) -> None:
    server, trained = target
    body = bytearray(_encoded(trained, content_type))
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))
    assert server.invoke(bytes(body[:cut]), content_type).status in STATUSES


@settings(max_examples=100)
@given(
    content_type=st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=60),
    accept=st.text(st.characters(max_codepoint=255, exclude_categories=["Cc"]), max_size=60),
)
def test_any_header_has_an_answer(
    target: tuple[Server, Trained], content_type: str, accept: str
) -> None:
    server, _ = target
    assert server.invoke(b"1,2,3,4\n", content_type, accept).status in STATUSES


def _encoded(trained: Trained, content_type: str) -> bytes:
    out = io.BytesIO()
    encode([Batch(trained.rows[:3])], out, parse_content_type(content_type))
    return out.getvalue()
