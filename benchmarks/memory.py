"""How much memory a training takes for a file of 4 GB: not a part of the usual run.

`make bench ALGO=memory` writes some 4 GB at a time into the folder for temporary files.
"""

from __future__ import annotations

from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.case import Case, Suite
from clary.codecs.batch import Batch
from clary.codecs.content_type import CSV, RECORDIO, parse_content_type
from clary.codecs.formats import encode
from clary.data.sources import Source
from clary.runtime.launch import Training, launch

_BYTES, _LIMIT_MIB = 4 * 10**9, 1024
_WIDTH, _ROWS = 100, 50_000
_HYPERPARAMETERS: dict[str, dict[str, Any]] = {
    "linear-learner": {"predictor_type": "binary_classifier", "epochs": 1},
    "kmeans": {"k": 10},
    "pca": {"num_components": 10},
}


def prepare(content_type: str, folder: Path) -> None:
    """Rows round ten points, repeated to 4 GB; the label says which five points a row is near."""
    draw = np.random.default_rng(0)
    points = draw.normal(0, 3, (10, _WIDTH))
    group = draw.integers(0, 10, _ROWS)
    rows = draw.normal(points[group], 1).round(3).astype(np.float32)
    block = BytesIO()
    encode([Batch(rows, (group < 5).astype(np.float32))], block, parse_content_type(content_type))
    with (folder / "rows").open("wb") as out:
        while out.tell() < _BYTES:
            out.write(block.getbuffer())


def ours(algorithm: str, content_type: str, folder: Path) -> dict[str, float]:
    """`clary train`, with everything it keeps and writes."""
    label = "" if algorithm == "linear-learner" or content_type == RECORDIO else ";label_size=1"
    source = Source("train", str(folder / "rows"), content_type=content_type + label)
    launch(Training(algorithm, _HYPERPARAMETERS[algorithm], [source], folder / "output"))
    return {}


def _case(algorithm: str, content_type: str, name: str) -> Case:
    return Case(
        f"{algorithm}, {name}",
        partial(prepare, content_type),
        partial(ours, algorithm, content_type),
        None,
        "",
        amount=_BYTES / 1e6,
        unit="MB",
        floor=_LIMIT_MIB,
        measure="mebibytes",
        once=True,
    )


SUITE = Suite(
    "Memory",
    f"Peak memory of a training on a file of 4 GB with {_WIDTH} features, in one cold run; the "
    "floor is a limit here.",
    tuple(
        _case(algorithm, content_type, name)
        for content_type, name in ((RECORDIO, "RecordIO-protobuf"), (CSV, "CSV"))
        for algorithm in _HYPERPARAMETERS
    ),
)
