"""The artifact `model_algo-1`: a zip with an MXNet module's symbol.json and params, and meta.json.

SageMaker's image writes one of two layouts: v (width, k), w1_weight (width, 1) and w0_weight (1,)
for sparse rows, or v (k, width), Linear_Plus_Bias_weight (1, width) and Linear_Plus_Bias_bias (1,)
for dense ones. Both are read; the first is written.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.codecs import ndarray_list
from clary.errors import CallerError
from clary.storage.folder import whole_file

Floats: TypeAlias = npt.NDArray[np.float32]

NAME = "model_algo-1"
_SYMBOL, _PARAMS, _META = "symbol.json", "params", "meta.json"
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
# The largest member that is read, so that a small archive cannot fill the memory
_MOST_BYTES = 2**38
_LOGISTIC = ("LogisticRegressionOutput", "sigmoid")


@dataclass(frozen=True)
class Parts:
    """bias: one number; linear: (width,); factors: (width, k).

    binary: whether the score is a log odds; told: `training_parameters` of meta.json.
    """

    bias: float
    linear: Floats
    factors: Floats
    binary: bool
    told: Mapping[str, Any]


def write(folder: Path, parts: Parts) -> None:
    """Write the artifact into a folder; equal parts give equal bytes."""
    arrays = {
        "arg:v": parts.factors,
        "arg:w1_weight": parts.linear[:, None],
        "arg:w0_weight": np.array([parts.bias], np.float32),
    }
    with whole_file(folder / NAME) as out, zipfile.ZipFile(out, "w") as archive:
        for name, data in (
            (_META, {"training_parameters": dict(parts.told)}),
            (_SYMBOL, _symbol(parts)),
        ):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH_OF_ZIP), _json(data))
        info = zipfile.ZipInfo(_PARAMS, _EPOCH_OF_ZIP)
        with archive.open(info, "w", force_zip64=True) as member:
            for piece in ndarray_list.pieces(arrays):
                member.write(piece)


def read(folder: Path) -> Parts:
    """The parts of an artifact, whoever made it.

    Raises:
        CallerError: it is damaged, or another kind of model.
    """
    path = folder / NAME
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = ndarray_list.loads(_member(archive, _PARAMS), f"{path.name}/{_PARAMS}")
            symbol = json.loads(_member(archive, _SYMBOL))
            named = _META in archive.namelist()
            meta = _mapping(json.loads(_member(archive, _META))) if named else {}
    except (OSError, KeyError, ValueError, RecursionError, zipfile.BadZipFile) as error:
        raise _foreign(path, str(error)) from None
    told = _mapping(meta.get("training_parameters"))
    return Parts(*_parameters(path, arrays), _is_binary(symbol, told), told)


def recognizes(folder: Path) -> bool:
    """Whether there is a zip with the parameters of a module and their meta.json."""
    path = folder / NAME
    try:
        with zipfile.ZipFile(path) as archive:
            return {_SYMBOL, _PARAMS} <= set(archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _parameters(path: Path, arrays: Any) -> tuple[float, Floats, Floats]:
    named = {} if isinstance(arrays, list) else arrays
    args = {name.removeprefix("arg:"): _floats(array) for name, array in named.items()}
    if "v" not in args:
        raise _foreign(path, "it has no factors v")
    factors = args["v"]
    linear = args.get("w1_weight", args.get("Linear_Plus_Bias_weight"))
    bias = args.get("w0_weight", args.get("Linear_Plus_Bias_bias"))
    if "Linear_Plus_Bias_weight" in args and factors.ndim == 2:
        factors = np.ascontiguousarray(factors.T)
    width = len(factors)
    linear = np.zeros(width, np.float32) if linear is None else linear.ravel()
    bias = np.zeros(1, np.float32) if bias is None else bias.ravel()
    if factors.ndim != 2 or not factors.size or linear.shape != (width,) or bias.shape != (1,):
        shapes = {name: array.shape for name, array in args.items()}
        raise _foreign(path, f"parameters of shapes {shapes} do not fit")
    if not all(np.isfinite(one).all() for one in (factors, linear, bias)):
        raise _foreign(path, "parameters are not finite")
    return float(bias[0]), linear, factors


def _floats(array: npt.NDArray[Any]) -> Floats:
    return np.asarray(array, dtype=np.float32)


def _symbol(parts: Parts) -> dict[str, Any]:
    """The network as MXNet writes it: w0 + x w1 + ½ Σ ((x v)² - x² v²), and the loss."""
    width, size = parts.factors.shape
    loss = "LogisticRegressionOutput" if parts.binary else "LinearRegressionOutput"
    nodes: list[tuple[str, str, dict[str, str], list[int]]] = [
        ("null", "data", {}, []),
        ("null", "v", {"__shape__": f"({width}, {size})"}, []),
        ("null", "w1_weight", {"__shape__": f"({width}, 1)"}, []),
        ("null", "w0_weight", {"__shape__": "(1,)"}, []),
        ("null", "out_label", {}, []),
        ("dot", "sums", {}, [0, 1]),
        ("square", "squared_sums", {}, [5]),
        ("square", "squared_data", {}, [0]),
        ("square", "squared_v", {}, [1]),
        ("dot", "sums_of_squares", {}, [7, 8]),
        ("elemwise_sub", "pairs", {}, [6, 9]),
        ("sum", "all_pairs", {"axis": "1", "keepdims": "True"}, [10]),
        ("_mul_scalar", "half", {"scalar": "0.5"}, [11]),
        ("dot", "linear", {}, [0, 2]),
        ("elemwise_add", "both", {}, [12, 13]),
        ("broadcast_add", "score", {}, [14, 3]),
        (loss, "out", {}, [15, 4]),
    ]
    return {
        "nodes": [
            {"op": op, "name": name, "attrs": attrs, "inputs": [[one, 0, 0] for one in inputs]}
            for op, name, attrs, inputs in nodes
        ],
        "arg_nodes": [place for place, node in enumerate(nodes) if node[0] == "null"],
        "node_row_ptr": list(range(len(nodes) + 1)),
        "heads": [[len(nodes) - 1, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10300]},
    }


def _is_binary(symbol: Any, told: Mapping[str, Any]) -> bool:
    """What meta.json says, else whether the network ends in a logistic function."""
    if told.get("predictor_type") in {"binary_classifier", "regressor"}:
        return bool(told["predictor_type"] == "binary_classifier")
    nodes = _mapping(symbol).get("nodes")
    each = [_mapping(node) for node in nodes] if isinstance(nodes, list) else []
    words = {str(word) for node in each for word in (node.get("op"), *_attributes(node))}
    return bool(words.intersection(_LOGISTIC))


def _attributes(node: Mapping[str, Any]) -> list[Any]:
    return list(_mapping(node.get("attrs")).values())


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MOST_BYTES:
        raise ValueError(f"{name} is larger than {_MOST_BYTES:,} bytes")
    return archive.read(name)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()


def _foreign(path: Path, reason: str) -> CallerError:
    return CallerError.of(path.name, f"is not a factorization machines' model: {reason}")
