"""The artifact: SageMaker's zip, in both of its layouts, whoever wrote it."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clary.algorithms.factorization_machines.model import FactorizationMachinesModel
from clary.codecs import ndarray_list
from clary.errors import CallerError
from tests.algorithms.factorization_machines.training import (
    BINARY,
    DIABETES,
    REGRESSOR,
    TUMORS,
    state,
    trained,
)

MODEL = trained(TUMORS, BINARY)


def members(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(folder / "model_algo-1") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def elsewhere(folder: Path, arrays: Any, symbol: Any = None, meta: Any = None) -> Path:
    """A model made elsewhere; without a meta.json if there is none."""
    with zipfile.ZipFile(folder / "model_algo-1", "w") as archive:
        archive.writestr("params", ndarray_list.dumps(arrays))
        archive.writestr("symbol.json", json.dumps(symbol or {"nodes": []}))
        if meta is not None:
            archive.writestr("meta.json", json.dumps(meta))
    return folder


def test_the_files_and_arrays_are_sagemakers(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    found = members(tmp_path)
    assert set(found) == {"meta.json", "params", "symbol.json"}
    arrays = ndarray_list.loads(found["params"], "params")
    assert isinstance(arrays, dict)
    shapes = {name: array.shape for name, array in arrays.items()}
    assert shapes == {"arg:v": (30, 8), "arg:w1_weight": (30, 1), "arg:w0_weight": (1,)}
    told = json.loads(found["meta.json"])["training_parameters"]
    assert (told["feature_dim"], told["num_factors"]) == (30, 8)
    nodes = json.loads(found["symbol.json"])["nodes"]
    arguments = [node["name"] for node in nodes if node["op"] == "null"]
    assert arguments == ["data", "v", "w1_weight", "w0_weight", "out_label"]


def test_the_network_computes_the_score(tmp_path: Path) -> None:
    """The nodes of symbol.json, followed one by one with numpy."""
    MODEL.save(tmp_path)
    found = members(tmp_path)
    arrays = ndarray_list.loads(found["params"], "params")
    assert isinstance(arrays, dict)
    values: list[Any] = []
    compute = {
        "dot": np.matmul,
        "square": np.square,
        "elemwise_sub": np.subtract,
        "elemwise_add": np.add,
        "broadcast_add": np.add,
        "sum": lambda x: x.sum(axis=1, keepdims=True),
        "_mul_scalar": lambda x: x * 0.5,
        "LogisticRegressionOutput": lambda x, label: 1 / (1 + np.exp(-x)),
    }
    for node in json.loads(found["symbol.json"])["nodes"]:
        given = [values[place] for place, _, _ in node["inputs"]]
        if node["op"] == "null":
            value = TUMORS.dense().astype(np.float64) if node["name"] == "data" else None
            values.append(arrays.get(f"arg:{node['name']}", value))
        else:
            values.append(compute[node["op"]](*given))
    score = np.asarray(MODEL.predict(TUMORS)["score"])
    np.testing.assert_allclose(values[-1][:, 0], score, atol=1e-6)


@pytest.mark.parametrize("rows", [TUMORS, DIABETES])
def test_both_layouts_are_read(rows: Any, tmp_path: Path) -> None:
    binary = rows is TUMORS
    model = trained(rows, BINARY if binary else REGRESSOR)
    sparse = {
        "arg:v": model.factors,
        "arg:w1_weight": model.linear[:, None],
        "arg:w0_weight": np.array([model.bias], np.float32),
    }
    dense = {
        "arg:v": model.factors.T,
        "arg:Linear_Plus_Bias_weight": model.linear[None],
        "arg:Linear_Plus_Bias_bias": np.array([model.bias], np.float32),
    }
    output = "LogisticRegressionOutput" if binary else "LinearRegressionOutput"
    symbol = {"nodes": [{"op": "null", "name": "data"}, {"op": output, "name": "out"}]}
    kind, width = model.params.predictor_type, str(rows.width)
    parameters = {"predictor_type": kind, "feature_dim": width, "_kvstore": "auto"}
    told = {"training_parameters": parameters}
    for arrays in (sparse, dense):
        for meta in (None, told, {}):
            folder = elsewhere(tmp_path, arrays, None if meta is told else symbol, meta)
            assert FactorizationMachinesModel.recognizes(folder)
            found = FactorizationMachinesModel.load(folder)
            assert state(found) == state(model)
            assert found.params.predictor_type == model.params.predictor_type


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"arg:w1_weight": np.ones((3, 1))}, "it has no factors v"),
        ([np.ones((3, 2))], "it has no factors v"),
        ({"arg:v": np.ones((3, 2)), "arg:w1_weight": np.ones((4, 1))}, "do not fit"),
        ({"arg:v": np.ones(3)}, "do not fit"),
        ({"arg:v": np.full((3, 2), np.nan)}, "parameters are not finite"),
    ],
)
def test_other_models_are_refused(arrays: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(CallerError, match=said):
        FactorizationMachinesModel.load(elsewhere(tmp_path, arrays))


def test_damaged_models_are_refused(tmp_path: Path) -> None:
    MODEL.save(tmp_path)
    path = tmp_path / "model_algo-1"
    whole = path.read_bytes()
    for damaged in (b"", whole[: len(whole) // 2], whole.replace(b"\x12\x01", b"\x13\x01", 1)):
        path.write_bytes(damaged)
        with pytest.raises(CallerError, match="is not a factorization machines' model"):
            FactorizationMachinesModel.load(tmp_path)


def test_the_summary_names_the_features_that_count_most() -> None:
    told = MODEL.summary()
    largest = int(np.abs(MODEL.linear).argmax())
    longest = int(np.linalg.norm(MODEL.factors, axis=1).argmax())
    assert told["largest_weights"][0]["feature"] == largest
    assert told["longest_vectors"][0]["feature"] == longest
    assert json.dumps(told)
