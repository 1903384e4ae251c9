"""What tests of bad input share: good data to spoil, and what a refusal must be."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from sklearn.datasets import load_breast_cancer, load_iris

from tests.cli.commands import Done, clary_here

# What a good training needs beside its data
KMEANS = ("train", "kmeans", "-p", "k=3")
PCA = ("train", "pca", "-p", "num_components=2")
BINARY = ("train", "linear-learner", "-p", "predictor_type=binary_classifier")
MULTICLASS = ("train", "linear-learner", "-p", "predictor_type=multiclass_classifier")
TREES = ("train", "xgboost", "-p", "num_round=2", "-p", "objective=binary:logistic")

Lines: TypeAlias = list[str]

FLOWERS = [",".join(f"{value:g}" for value in row) for row in load_iris().data]
_ROWS, _BENIGN = load_breast_cancer(return_X_y=True)
TUMORS = [
    ",".join(f"{value:g}" for value in (kind, *row[:4]))
    for kind, row in zip(_BENIGN, _ROWS, strict=True)
]


def labelled(label: str) -> Lines:
    """The tumors, with another label in row 20, the first that had a 1."""
    return [*TUMORS[:19], label + TUMORS[19][1:], *TUMORS[20:]]


def with_line(lines: Lines, place: int, line: str) -> Lines:
    return [*lines[: place - 1], line, *lines[place - 1 :]]


def refused(done: Done, *words: str) -> None:
    """One message with all the words, and no other."""
    told = [line for line in done.err.splitlines() if line.startswith("clary: ")]
    assert done.code == 1, done.err
    assert len(told) == 1, done.err
    assert "Traceback" not in done.err
    assert [word for word in words if word not in told[0]] == [], told[0]


def nothing_left(folder: Path) -> None:
    """No output but perhaps the log, which tells of the failure."""
    left = {path.name for path in folder.glob("out/*")} | {p.name for p in folder.glob("out/.*")}
    assert left <= {"train.log"}


def trained(folder: Path, *arguments: str | Path) -> Done:
    return clary_here(*arguments, "--output", folder / "out")
