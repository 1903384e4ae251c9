"""The artifact `model_algo-1`: a zip with an MXNet module of one fully connected layer, `fc0`."""

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
_PARAMS, _SYMBOL = "mx-mod-0000.params", "mx-mod-symbol.json"
_ADDITIONAL, _MANIFEST = "additional-params.json", "manifest.json"
_EPOCH_OF_ZIP = (1980, 1, 1, 0, 0, 0)
# The largest member that is read, so that a small archive cannot fill the memory
_MOST_BYTES = 2**34

# What follows the layer, by kind of answer: operator and attributes
_HEADS: Mapping[str, tuple[str, dict[str, str]] | None] = {
    "sigmoid": ("Activation", {"act_type": "sigmoid"}),
    "softmax": ("softmax", {"axis": "-1"}),
    "identity": None,
}
_SIGMOIDS, _SOFTMAXES = ("sigmoid", "LogisticRegressionOutput"), ("softmax", "SoftmaxOutput")


@dataclass(frozen=True)
class Layer:
    """weights: (outputs, width); bias: (outputs,); head: what is made of the scores."""

    weights: Floats
    bias: Floats
    head: str
    additional: Mapping[str, Any]


def write(folder: Path, layer: Layer) -> None:
    """Write the artifact into a folder; equal layers give equal bytes."""
    arrays = {"arg:fc0_weight": layer.weights, "arg:fc0_bias": layer.bias}
    members = {
        _ADDITIONAL: _json(dict(layer.additional)),
        _MANIFEST: _json({"params": _PARAMS, "symbol": _SYMBOL, "additional": _ADDITIONAL}),
        _PARAMS: ndarray_list.dumps(arrays),
        _SYMBOL: _json(_symbol(len(layer.weights), layer.head)),
    }
    with whole_file(folder / NAME) as out, zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH_OF_ZIP), data)


def read(folder: Path) -> Layer:
    """The layer of an artifact, whoever made it.

    Raises:
        CallerError: it is damaged, or another kind of model.
    """
    path = folder / NAME
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = ndarray_list.loads(_member(archive, _PARAMS), f"{path.name}/{_PARAMS}")
            symbol = json.loads(_member(archive, _SYMBOL))
            named = _ADDITIONAL in archive.namelist()
            additional = json.loads(_member(archive, _ADDITIONAL)) if named else {}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise _foreign(path, str(error)) from None
    return Layer(*_parameters(path, arrays), _head(symbol), _mapping(additional))


def recognizes(folder: Path) -> bool:
    """Whether there is a zip with a module's parameters."""
    path = folder / NAME
    try:
        with zipfile.ZipFile(path) as archive:
            return _PARAMS in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def _parameters(path: Path, arrays: Any) -> tuple[Floats, Floats]:
    if not isinstance(arrays, dict) or "arg:fc0_weight" not in arrays:
        raise _foreign(path, "it has no weights fc0_weight")
    weights = np.atleast_2d(np.asarray(arrays["arg:fc0_weight"], dtype=np.float32))
    bias = np.asarray(arrays.get("arg:fc0_bias", np.zeros(len(weights))), dtype=np.float32)
    if weights.ndim != 2 or bias.shape != (len(weights),):
        raise _foreign(path, f"weights {weights.shape} and bias {bias.shape} do not fit")
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise _foreign(path, "weights are not finite")
    return weights, bias


def _symbol(outputs: int, head: str) -> dict[str, Any]:
    """The network as MXNet writes it."""
    size = {"num_hidden": str(outputs)}
    nodes: list[dict[str, Any]] = [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "fc0_weight", "attrs": size, "inputs": []},
        {"op": "null", "name": "fc0_bias", "attrs": size, "inputs": []},
        {
            "op": "FullyConnected",
            "name": "fc0",
            "attrs": size,
            "inputs": [[0, 0, 0], [1, 0, 0], [2, 0, 0]],
        },
    ]
    if operator := _HEADS[head]:
        name, attributes = operator
        nodes.append({"op": name, "name": "score", "attrs": attributes, "inputs": [[3, 0, 0]]})
    return {
        "nodes": nodes,
        "arg_nodes": [0, 1, 2],
        "node_row_ptr": list(range(len(nodes) + 1)),
        "heads": [[len(nodes) - 1, 0, 0]],
        "attrs": {"mxnet_version": ["int", 10300]},
    }


def _head(symbol: Any) -> str:
    nodes = _mapping(symbol).get("nodes", [])
    words = {
        str(word)
        for node in nodes
        if isinstance(node, dict)
        for word in (node.get("op"), *_mapping(node.get("attrs", {})).values())
    }
    if words.intersection(_SOFTMAXES):
        return "softmax"
    return "sigmoid" if words.intersection(_SIGMOIDS) else "identity"


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    if archive.getinfo(name).file_size > _MOST_BYTES:
        raise ValueError(f"{name} is larger than {_MOST_BYTES:,} bytes")
    return archive.read(name)


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, sort_keys=True).encode()


def _foreign(path: Path, reason: str) -> CallerError:
    return CallerError.of(path.name, f"is not a linear learner's model: {reason}")
