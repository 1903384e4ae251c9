"""The binary form of models, as XGBoost wrote it before version 3.1 and reads it no more.

Images 1.3-1 to 1.7-1 left such files. The layout is that of the library's C++ structures, little-
endian: learner parameters, the names of objective and booster, the booster, attributes.
"""

from __future__ import annotations

import json
import re
import struct
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost

from clary.errors import CallerError

_MARK = b"binf"
_LEARNER = struct.Struct("<fIiiiIII104x")
_TREES = struct.Struct("<ii152x")
_TREE = struct.Struct("<4xii4xI4x124x")
_LINEAR = struct.Struct("<136x")
_LENGTH = struct.Struct("<Q")
_NODE = np.dtype(
    [("parent", "<i4"), ("left", "<i4"), ("right", "<i4"), ("split", "<u4"), ("value", "<f4")]
)
_STATISTICS = np.dtype(
    [("loss_change", "<f4"), ("hessian", "<f4"), ("weight", "<f4"), ("leaves", "<i4")]
)
_NO_PARENT = 2147483647
_OBJECTIVE = re.compile(rb"[a-z]+:[a-z]+")
_BOOSTERS = {"gbtree", "dart", "gblinear"}


def is_binary_form(content: bytes) -> bool:
    """Whether bytes begin like a model in binary form."""
    body = content.removeprefix(_MARK)
    if len(body) < _LEARNER.size + _LENGTH.size:
        return False
    (length,) = _LENGTH.unpack_from(body, _LEARNER.size)
    start = _LEARNER.size + _LENGTH.size
    return 3 < length < 64 and _OBJECTIVE.fullmatch(body[start : start + length]) is not None


def translated(content: bytes, thing: str) -> bytes:
    """The same model as JSON.

    Raises:
        CallerError: `thing` is cut short or damaged.
    """
    try:
        model = _learner(_Bytes(content.removeprefix(_MARK)))
    except (struct.error, ValueError, UnicodeDecodeError) as error:
        raise CallerError.of(thing, f"is not a whole model of XGBoost ({error})") from error
    return json.dumps(model).encode()


class _Bytes:
    """A reading place in bytes."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def fields(self, form: struct.Struct) -> tuple[Any, ...]:
        found = form.unpack_from(self._content, self._at)
        self._at += form.size
        return found

    def text(self) -> str:
        return self._piece(self.fields(_LENGTH)[0]).decode()

    def array(self, kind: npt.DTypeLike, count: int | None = None) -> npt.NDArray[Any]:
        """`count` items; without it, as many as the length before them says."""
        size = np.dtype(kind).itemsize * (self.fields(_LENGTH)[0] if count is None else count)
        return np.frombuffer(self._piece(size), dtype=kind)

    def _piece(self, size: int) -> bytes:
        if not 0 <= size <= len(self._content) - self._at:
            raise ValueError(f"it ends after {len(self._content):,} bytes")
        self._at += size
        return self._content[self._at - size : self._at]


def _learner(source: _Bytes) -> dict[str, Any]:
    base, width, classes, has_attributes, _, major, minor, targets = source.fields(_LEARNER)
    objective, booster = source.text(), source.text()
    if booster not in _BOOSTERS:
        raise ValueError(f"booster {booster!r}")
    trained = _linear(source) if booster == "gblinear" else _trees(source, booster)
    attributes = {}
    if has_attributes:
        for _ in range(source.fields(_LENGTH)[0]):
            name, value = source.text(), source.text()
            attributes[name] = value
    attributes.pop("objective", None)
    learner = {
        "attributes": attributes,
        "feature_names": [],
        "feature_types": [],
        "gradient_booster": trained,
        "learner_model_param": {
            "base_score": repr(float(np.float32(base))),
            "boost_from_average": "0",
            "num_class": str(classes),
            "num_feature": str(width),
            "num_target": str(max(1, targets)),
        },
        "objective": _objective(objective, classes),
    }
    return {"learner": learner, "version": [max(1, major), minor, 0]}


def _objective(name: str, classes: int) -> dict[str, Any]:
    """The objective's parameters as a fresh model has them; predictions need no others."""
    parameters = {"objective": name} | ({"num_class": classes} if classes > 1 else {})
    # The booster counts features on it and holds it by a weak reference
    one_row = xgboost.DMatrix(np.zeros((1, 1)))
    try:
        config = json.loads(xgboost.Booster(parameters, [one_row]).save_config())
    except xgboost.core.XGBoostError as error:
        raise ValueError(f"objective {name!r}") from error
    found: dict[str, Any] = config["learner"]["objective"]
    return found


def _trees(source: _Bytes, booster: str) -> dict[str, Any]:
    count, parallel = source.fields(_TREES)
    trees = [_tree(source, number) for number in range(count)]
    model = {
        "gbtree_model_param": {"num_trees": str(count), "num_parallel_tree": str(max(1, parallel))},
        "tree_info": source.array("<i4", count).tolist(),
        "trees": trees,
    }
    if booster == "gbtree":
        return {"model": model, "name": booster}
    dropped = source.array("<f4").tolist() if count else []
    return {"gbtree": {"model": model, "name": "gbtree"}, "name": booster, "weight_drop": dropped}


def _tree(source: _Bytes, number: int) -> dict[str, Any]:
    size, deleted, width = source.fields(_TREE)
    nodes, statistics = source.array(_NODE, size), source.array(_STATISTICS, size)
    # The highest bit of a parent says which child this is; that of a split, where missing goes
    parents = np.where(nodes["parent"] == -1, _NO_PARENT, nodes["parent"] & 0x7FFFFFFF)
    return {
        "id": number,
        "tree_param": {
            "num_nodes": str(size),
            "num_deleted": str(deleted),
            "num_feature": str(width),
            "size_leaf_vector": "0",
        },
        "left_children": nodes["left"].tolist(),
        "right_children": nodes["right"].tolist(),
        "parents": parents.tolist(),
        "split_indices": (nodes["split"] & 0x7FFFFFFF).tolist(),
        "split_conditions": nodes["value"].tolist(),
        "default_left": (nodes["split"] >> 31).tolist(),
        "base_weights": statistics["weight"].tolist(),
        "loss_changes": statistics["loss_change"].tolist(),
        "sum_hessian": statistics["hessian"].tolist(),
        "split_type": [0] * size,
        "categories": [],
        "categories_nodes": [],
        "categories_segments": [],
        "categories_sizes": [],
    }


def _linear(source: _Bytes) -> dict[str, Any]:
    source.fields(_LINEAR)
    return {
        "model": {"boosted_rounds": 0, "weights": source.array("<f4").tolist()},
        "name": "gblinear",
    }
