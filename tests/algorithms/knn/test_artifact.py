"""The artifact is SageMaker's three files; k and predictor_type may be edited in it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pytest

from clary import settings
from clary.algorithms.knn.model import KNNModel
from clary.codecs.batch import Batch
from clary.errors import CallerError
from clary.runtime.models import load_model, save_model
from clary.runtime.negotiate import answer
from clary.sdk.loading import load
from tests.algorithms.knn.training import DIGITS, TUMORS, trained

REDUCED = {"dimension_reduction_type": "sign", "dimension_reduction_target": 12}


def saved(model: KNNModel, folder: Path) -> Path:
    folder.mkdir()
    save_model(model, folder)
    return folder


def edited(folder: Path, **changes: Any) -> Path:
    path = folder / "model_algo-1.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return folder


def foreign(folder: Path, index: Any, labels: np.ndarray, **settings_: Any) -> Path:
    """A model's files as another program writes them."""
    folder.mkdir()
    faiss.write_index(index, str(folder / "model_algo-1"))
    labels.astype(np.float32).tofile(folder / "model_algo-1.labels")
    told = {"k": 3, "predictor_type": "classifier", "dimension_reduction": None, "normalize": False}
    (folder / "model_algo-1.json").write_text(json.dumps(told | settings_ | {"version": "1.0"}))
    return folder


def indexed(index: Any, rows: np.ndarray) -> Any:
    index.train(rows)
    index.add(rows)
    return index


def test_the_files_are_a_faiss_index_raw_labels_and_json(tmp_path: Path) -> None:
    folder = saved(trained(TUMORS[0], **REDUCED), tmp_path / "model")
    index = faiss.read_index(str(folder / "model_algo-1"))
    assert isinstance(index, faiss.IndexFlatL2)
    assert (index.ntotal, index.d) == (TUMORS[0].rows, 12)
    labels = np.fromfile(folder / "model_algo-1.labels", np.float32)
    assert np.array_equal(labels, TUMORS[0].labels())
    told = json.loads((folder / "model_algo-1.json").read_text())
    seed = told["dimension_reduction"].pop("seed")
    assert isinstance(seed, int)
    assert told == {
        "k": 5,
        "predictor_type": "classifier",
        "dimension_reduction": {"type": "sign", "target_dim": 12, "input_dim": 30},
        "normalize": False,
        "version": "1.0",
    }


@pytest.mark.parametrize(
    "given",
    [
        {},
        REDUCED,
        REDUCED | {"dimension_reduction_type": "fjlt", "index_metric": "COSINE"},
        {"index_type": "faiss.IVFFlat", "index_metric": "INNER_PRODUCT", "_faiss_index_nprobe": 3},
        {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": 4, "predictor_type": "regressor"},
    ],
    ids=["flat", "sign", "fjlt-cosine", "ivf", "pq"],
)
def test_loaded_again_it_answers_the_same(given: dict[str, Any], tmp_path: Path) -> None:
    model = trained(TUMORS[0], **given)
    again = load_model(saved(model, tmp_path / "model"))
    found, wanted = again.predict(TUMORS[1]), model.predict(TUMORS[1])
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    assert again.summary() == model.summary()
    assert again.params == model.params


def test_k_and_predictor_type_edited_in_the_json_are_honored(tmp_path: Path) -> None:
    folder = saved(trained(TUMORS[0]), tmp_path / "model")
    edited(folder, k=2, predictor_type="regressor")
    found = load_model(folder).predict(TUMORS[1])
    wanted = trained(TUMORS[0], k=2, predictor_type="regressor").predict(TUMORS[1])
    assert all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_an_edited_model_packed_without_hidden_files_is_honored(tmp_path: Path) -> None:
    folder = edited(saved(trained(TUMORS[0]), tmp_path / "model"), k=9)
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        for path in sorted(folder.glob("model_algo-1*")):
            archive.add(path, path.name)
    model = load_model(tmp_path / "model.tar.gz")
    assert model.params.values()["k"] == 9
    assert model.predict(TUMORS[1])["labels"].shape[1] == 9


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"k": 0}, "k must be a whole number of at least 1, got 0"),
        ({"k": "3"}, "k must be a whole number of at least 1, got '3'"),
        ({"k": 10**6}, "k must be at most the rows of the index, 379"),
        ({"predictor_type": "classify"}, "predictor_type must be classifier or regressor"),
        ({"normalize": "yes"}, "normalize must be true or false"),
        ({"dimension_reduction": {"type": "pca"}}, "dimension_reduction must have type"),
        (
            {"dimension_reduction": {"type": "sign", "seed": 1, "target_dim": 9, "input_dim": 30}},
            "target_dim must be that of the index, 30, got 9",
        ),
    ],
)
def test_what_cannot_be_honored_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = edited(saved(trained(TUMORS[0]), tmp_path / "model"), **changes)
    with pytest.raises(CallerError, match=said):
        load_model(folder)


def test_other_files_must_be_as_they_were(tmp_path: Path) -> None:
    folder = saved(trained(TUMORS[0]), tmp_path / "model")
    labels = folder / "model_algo-1.labels"
    labels.write_bytes(bytes(len(labels.read_bytes())))
    with pytest.raises(CallerError, match=r"model_algo-1.labels is not as it was written"):
        load_model(folder)


@pytest.mark.parametrize(
    ("kind", "metric"),
    [
        ("IndexFlat", faiss.METRIC_L2),
        ("IndexFlat", faiss.METRIC_INNER_PRODUCT),
        ("IndexIVFFlat", faiss.METRIC_L2),
        ("IndexIVFFlat", faiss.METRIC_INNER_PRODUCT),
        ("IndexIVFPQ", faiss.METRIC_L2),
    ],
)
def test_models_made_elsewhere_are_recognized_and_answer(
    kind: str, metric: int, tmp_path: Path
) -> None:
    rows, width = DIGITS[0].dense(), 64
    flat = faiss.IndexFlat(width, metric)
    if kind == "IndexIVFFlat":
        index = faiss.IndexIVFFlat(flat, width, 10, metric)
    elif kind == "IndexIVFPQ":
        index = faiss.IndexIVFPQ(flat, width, 10, 16, 8, metric)
    else:
        index = flat
    indexed(index, rows)
    folder = foreign(tmp_path / "model", index, DIGITS[0].labels())
    model = load_model(folder)
    assert model.algorithm.name == "knn"
    assert model.params.values()["index_type"].replace(".", "").lower().endswith(kind[5:].lower())
    least = 0.9 if metric == faiss.METRIC_L2 else 0.5
    assert np.mean(model.predict(DIGITS[1])["predicted_label"] == DIGITS[1].labels()) > least
    estimator = load(folder)
    assert estimator.classes_.tolist() == list(range(10))
    assert estimator.score(DIGITS[1].dense(), DIGITS[1].labels()) > least


def test_normalized_rows_made_elsewhere_are_searched_by_direction(tmp_path: Path) -> None:
    rows = DIGITS[0].dense() / np.linalg.norm(DIGITS[0].dense(), axis=1)[:, None]
    index = indexed(faiss.IndexFlatIP(64), rows)
    model = load_model(foreign(tmp_path / "model", index, DIGITS[0].labels(), normalize=True))
    wanted = trained(DIGITS[0], k=3, index_metric="COSINE").predict(DIGITS[1])
    found = model.predict(Batch(DIGITS[1].dense() * np.float32(7)))
    assert found["distances"] == pytest.approx(wanted["distances"], abs=1e-6)


def test_python_words_in_the_json_are_read(tmp_path: Path) -> None:
    folder = foreign(
        tmp_path / "model", indexed(faiss.IndexFlatL2(64), DIGITS[0].dense()), DIGITS[0].labels()
    )
    path = folder / "model_algo-1.json"
    path.write_text(str(json.loads(path.read_text())))
    assert "False" in path.read_text()
    assert load_model(folder).params.values()["k"] == 3


def test_a_reduction_made_elsewhere_is_refused_with_the_reason(tmp_path: Path) -> None:
    told = {"type": "sign", "seed": 1, "target_dim": 64, "input_dim": 70}
    index = indexed(faiss.IndexFlatL2(64), DIGITS[0].dense())
    folder = foreign(tmp_path / "model", index, DIGITS[0].labels(), dimension_reduction=told)
    with pytest.raises(CallerError, match=r"Keep that file beside the others; of SageMaker's"):
        load_model(folder)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    index = indexed(faiss.IndexFlatL2(64), DIGITS[0].dense())
    folder = foreign(tmp_path / "model", index, DIGITS[0].labels()[1:])
    with pytest.raises(CallerError, match="a float32 label for each of the index's 1198 rows"):
        load_model(folder)
    whole = (folder / "model_algo-1").read_bytes()
    DIGITS[0].labels().tofile(folder / "model_algo-1.labels")
    for length in (0, 3, 30, len(whole) // 2):
        (folder / "model_algo-1").write_bytes(whole[:length])
        with pytest.raises(CallerError, match="must be a faiss index"):
            load_model(folder)
    (folder / "model_algo-1").write_bytes(whole)
    hnsw = indexed(faiss.IndexHNSWFlat(64, 4), DIGITS[0].dense())
    faiss.write_index(hnsw, str(folder / "model_algo-1"))
    with pytest.raises(CallerError, match="must be a Flat, IVFFlat or IVFPQ index"):
        load_model(folder)
    (folder / "model_algo-1.json").write_bytes(b"\xff{")
    with pytest.raises(CallerError, match="must hold a model of"):
        load_model(folder)


def test_verbose_answers_tell_distances_and_labels(tmp_path: Path) -> None:
    model, serving = trained(TUMORS[0], k=2), settings.serving()
    body = ",".join(map(str, TUMORS[1].dense()[0].tolist())).encode()
    wanted = {name: one[0].tolist() for name, one in model.predict(TUMORS[1].slice(0, 1)).items()}
    plain, _ = answer(model, body, "text/csv", "application/json", serving)
    assert json.loads(plain) == {"predictions": [{"predicted_label": wanted["predicted_label"]}]}
    for accept in ("application/json; verbose=true", "application/json;verbose"):
        told, kind = answer(model, body, "text/csv", accept, serving)
        assert kind == "application/json"
        assert json.loads(told) == {"predictions": [wanted]}
    lines, _ = answer(model, body, "text/csv", "application/jsonlines; verbose=true", serving)
    assert json.loads(lines) == wanted
    records, _ = answer(
        model, body, "text/csv", "application/x-recordio-protobuf; verbose=true", serving
    )
    assert all(name.encode() in records for name in wanted)
