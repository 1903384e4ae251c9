"""Answers in the forms of SageMaker's XGBoost server.

Without further settings an answer is the bare prediction. In a batch transform it is a line for
each row whatever type is accepted. With SAGEMAKER_INFERENCE_OUTPUT it is the keys chosen there.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from clary.algorithms.xgboost import objectives
from clary.algorithms.xgboost.metrics import classes
from clary.algorithms.xgboost.model import XGBoostModel
from clary.codecs.batch import Batch, Floats
from clary.codecs.content_type import CSV, JSON, JSONLINES, ContentType
from clary.codecs.record_writing import write_dense
from clary.errors import CallerError
from clary.settings import Serving


def respond(
    model: XGBoostModel, batch: Batch, content_type: ContentType, serving: Serving
) -> bytes:
    """The answer to the rows of a batch.

    Raises:
        CallerError: the rows do not fit the model, or keys were chosen that it cannot have.
    """
    if not serving.ensemble and len(model.boosters) > 1:
        model = model.first()
    score = np.asarray(model.predict(batch)["score"])
    if serving.inference_output:
        chosen = selected(model.objective, model.num_class, score, serving.inference_output)
        return _written(chosen, content_type)
    if serving.batch:
        return _lines(str(value) for value in score.tolist())
    if content_type.name == CSV:
        rows = score.reshape(len(score), -1).tolist()
        return _lines(",".join(map(str, row)) for row in rows)
    return _written({"score": score}, content_type)


def selected(
    objective: str, num_class: int | None, score: Floats, keys: Iterable[str]
) -> dict[str, npt.NDArray[Any]]:
    """The chosen keys, each of shape (rows,) or (rows, classes); NaN where the objective has none.

    Raises:
        CallerError: the objective has none of the keys at all, or a key is unknown.
    """
    allowed = objectives.SELECTABLE.get(objective)
    if allowed is None:
        raise CallerError.of(
            "environment variable SAGEMAKER_INFERENCE_OUTPUT", "has no keys for", objective
        )
    unknown = [key for key in keys if key not in objectives.KEYS]
    if unknown:
        raise CallerError.of(
            "environment variable SAGEMAKER_INFERENCE_OUTPUT",
            f"must name some of {', '.join(objectives.KEYS)}",
            unknown[0],
        )
    known = _known(objective, num_class, score)
    nothing = np.full(len(score), np.nan)
    return {key: known[key] if key in allowed else nothing for key in keys}


def _known(objective: str, num_class: int | None, score: Floats) -> dict[str, npt.NDArray[Any]]:
    """All keys, from predictions that are one number a row or one for each class."""
    if objectives.kind(objective) == "regression":
        return {"predicted_score": score}
    labels = np.arange(num_class or 2)
    best = score.max(axis=1) if score.ndim == 2 else score
    if score.ndim == 2:
        several: npt.NDArray[Any] = score
    elif objective == "multi:softmax":
        several = (score[:, None] == labels).astype(np.float64)
    else:
        other = -score if objective == "binary:logitraw" else 1 - score.astype(np.float64)
        several = np.column_stack([other, score])
    whole = objective in {"binary:hinge", "multi:softmax"}
    return {
        "predicted_label": score if whole else classes(objective, score),
        "labels": np.tile(labels, (len(score), 1)),
        "probability": best,
        "probabilities": several,
        "raw_score": best,
        "raw_scores": several,
    }


def _written(outputs: Mapping[str, npt.NDArray[Any]], content_type: ContentType) -> bytes:
    if content_type.name not in {CSV, JSON, JSONLINES}:
        records = io.BytesIO()
        write_dense(records, None, outputs)
        return records.getvalue()
    columns = [values.tolist() for values in outputs.values()]
    rows = list(zip(*columns, strict=True))
    if content_type.name == CSV:
        # Here SageMaker's server ends without a newline
        return "\n".join(",".join(map(_cell, row)) for row in rows).encode()
    objects = [dict(zip(outputs, row, strict=True)) for row in rows]
    if content_type.name == JSON:
        return json.dumps({"predictions": objects}).encode()
    return _lines(map(json.dumps, objects))


def _cell(value: Any) -> str:
    return f'"{value}"' if isinstance(value, list) else str(value)


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()
