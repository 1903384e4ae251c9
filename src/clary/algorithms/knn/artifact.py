"""SageMaker's three files of a k-NN model.

`model_algo-1` is a faiss index, `.labels` raw float32 for each indexed row, `.json` says how they
are used; users may edit k and predictor_type there.
"""

from __future__ import annotations

import ast
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clary.algorithms.knn import index
from clary.algorithms.knn.nearest import Floats
from clary.algorithms.knn.reduction import Reduction
from clary.errors import CallerError

NAME = "model_algo-1"
SETTINGS = f"{NAME}.json"
_LABELS = f"{NAME}.labels"
_VERSION = "1.0"
_PREDICTORS = ("classifier", "regressor")
_REDUCTIONS = ("sign", "fjlt")


@dataclass(frozen=True)
class Settings:
    """What the JSON file says."""

    k: int
    predictor_type: str
    reduction: Reduction | None
    normalize: bool


def write(folder: Path, found: Any, labels: Floats, settings: Settings) -> None:
    """Write the three files."""
    index.write(found, folder / NAME)
    (folder / _LABELS).write_bytes(labels.astype("<f4").tobytes())
    reduction = settings.reduction
    told = {
        "k": settings.k,
        "predictor_type": settings.predictor_type,
        "dimension_reduction": reduction
        and {
            "type": reduction.kind,
            "seed": reduction.seed,
            "target_dim": reduction.target,
            "input_dim": reduction.width,
        },
        "normalize": settings.normalize,
        "version": _VERSION,
    }
    (folder / SETTINGS).write_text(json.dumps(told) + "\n")


def read(folder: Path) -> tuple[Any, Floats, Settings]:
    """The index, its rows' labels, and the settings.

    Raises:
        CallerError: a file is missing or damaged, or they do not fit together.
    """
    for name in (NAME, _LABELS, SETTINGS):
        if not (folder / name).exists():
            raise CallerError.of(f"model {folder}", f"has no file {name}")
    found = index.read(folder / NAME)
    raw = (folder / _LABELS).read_bytes()
    if len(raw) != 4 * found.ntotal or not found.ntotal:
        rule = f"must hold a float32 label for each of the index's {found.ntotal} rows"
        raise CallerError.of(f"model file {folder / _LABELS}", rule, f"{len(raw)} bytes")
    labels = np.frombuffer(raw, "<f4").astype(np.float32)
    if not np.isfinite(labels).all():
        raise CallerError.of(f"model file {folder / _LABELS}", "its labels must be finite")
    settings = _settings(folder / SETTINGS)
    _check(settings, found, folder / SETTINGS)
    return found, labels, settings


def recognizes(folder: Path) -> bool:
    """Whether the three files are there and the JSON is that of a k-NN model."""
    try:
        return (
            (folder / NAME).is_file()
            and (folder / _LABELS).is_file()
            and bool(_settings(folder / SETTINGS))
        )
    except (CallerError, OSError):
        return False


def _check(settings: Settings, found: Any, path: Path) -> None:
    thing = f"model file {path}"
    if settings.k > found.ntotal:
        rule = f"k must be at most the rows of the index, {found.ntotal}"
        raise CallerError.of(thing, rule, settings.k)
    if settings.reduction and settings.reduction.target != found.d:
        rule = f"target_dim must be that of the index, {found.d}"
        raise CallerError.of(thing, rule, settings.reduction.target)


def _settings(path: Path) -> Settings:
    told, thing = _object(path), f"model file {path}"
    k, predictor, normalize = told.get("k"), told.get("predictor_type"), told.get("normalize")
    if not isinstance(k, int) or not _is_count(k):
        raise CallerError.of(thing, "k must be a whole number of at least 1", k)
    if not isinstance(predictor, str) or predictor not in _PREDICTORS:
        rule = f"predictor_type must be {' or '.join(_PREDICTORS)}"
        raise CallerError.of(thing, rule, predictor)
    if normalize not in (True, False, None):
        raise CallerError.of(thing, "normalize must be true or false", normalize)
    return Settings(k, predictor, _reduction(told, thing), bool(normalize))


def _reduction(told: dict[str, Any], thing: str) -> Reduction | None:
    found = told.get("dimension_reduction")
    if not found or (isinstance(found, dict) and not found.get("type")):
        return None
    if isinstance(found, dict) and found.get("type") in _REDUCTIONS:
        seed, target, width = (found.get(name, -1) for name in ("seed", "target_dim", "input_dim"))
        whole = isinstance(seed, int) and seed >= 0
        if whole and _is_count(target) and _is_count(width) and target < width:
            return Reduction(found["type"], seed, target, width)
    rule = "dimension_reduction must have type (sign or fjlt), seed, and target_dim below input_dim"
    raise CallerError.of(thing, rule, found)


def _object(path: Path) -> dict[str, Any]:
    text = path.read_text(errors="replace")
    for parse in (json.loads, ast.literal_eval):
        # SageMaker's guide prints the file with Python's False
        try:
            told = parse(text)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(told, dict):
            return told
    raise CallerError.of(f"model file {path}", "must be a JSON object")


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1
