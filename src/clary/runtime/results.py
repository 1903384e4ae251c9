"""What a training leaves: the model's files, metrics.json and report.html."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import clary
from clary.kit.model import Model
from clary.runtime.models import save_model
from clary.runtime.report import Report
from clary.runtime.report_page import render
from clary.storage.folder import disk_full_explained, temporary_sibling, whole_file

METRICS, REPORT = "metrics.json", "report.html"


def write_model(model: Model, folder: Path) -> None:
    """Put the model's files into an existing folder: all are written before the first is seen.

    Raises:
        CallerError: the disk is full, or the folder cannot be written; no file is there.
    """
    partial = temporary_sibling(folder / "model")
    with disk_full_explained(folder):
        try:
            partial.mkdir()
            save_model(model, partial)
            for each in sorted(partial.iterdir()):
                each.replace(folder / each.name)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def write_metrics(report: Report, folder: Path) -> None:
    """Write metrics.json: every metric with its history, as [epoch or null, value].

    Numbers that JSON does not have are null.
    """
    content = {
        "algorithm": report.algorithm.name,
        "clary": clary.__version__,
        "metrics": {name: _metric(values) for name, values in report.history.items()},
        "hyperparameters": report.settled,
        "seconds": report.seconds,
        "channels": {name: asdict(facts) for name, facts in report.channels.items()},
        "hosts": report.hosts,
        "seed": report.seed,
        "started": report.started.isoformat(timespec="seconds"),
    }
    write_json(folder / METRICS, content)


def write_report(report: Report, folder: Path) -> None:
    with whole_file(folder / REPORT) as out:
        out.write(render(report).encode())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    with whole_file(path) as out:
        out.write(json.dumps(content, allow_nan=False).encode() + b"\n")


def _metric(values: Sequence[tuple[int | None, float]]) -> dict[str, Any]:
    history = [[epoch, value if math.isfinite(value) else None] for epoch, value in values]
    return {"last": history[-1][1], "history": history}
