"""Bad models and archives, each with one clear message, exit code 1 and nothing half-written."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cli.commands import clary_here
from tests.cli.refusals import (
    FLOWERS,
    KMEANS,
    TUMORS,
    nothing_left,
    refused,
    trained,
    with_line,
)

Archive: TypeAlias = Callable[[tarfile.TarFile], None]


def member(name: str, content: bytes = b"x") -> Archive:
    def write(archive: tarfile.TarFile) -> None:
        entry = tarfile.TarInfo(name)
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))

    return write


def link(archive: tarfile.TarFile) -> None:
    entry = tarfile.TarInfo("model_algo-1")
    entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
    archive.addfile(entry)


MODELS: dict[str, tuple[Archive, tuple[str, ...]]] = {
    "another framework's": (member("model.pt"), ("must hold a model of", "kmeans", "'model.pt'")),
    "one that climbs out": (member("../evil"), ("leaves its folder", "'../evil'")),
    "one with an absolute name": (member("/tmp/evil"), ("leaves its folder", "'/tmp/evil'")),
    "one with a link": (link, ("files and folders only", "'model_algo-1'")),
    "a pickle": (member("xgboost-model", b"\x80\x04\x95"), ("Python pickle", "not read here")),
    "one with a damaged manifest": (member(".clary.json", b"{"), (".clary.json must be JSON",)),
    "one of an algorithm that is not here": (
        member(
            ".clary.json", b'{"format": 1, "algorithm": "lda", "hyperparameters": {}, "files": {}}'
        ),
        ("algorithm 'lda': is not known",),
    ),
}


@pytest.mark.parametrize("command", ["inspect", "serve", "predict", "evaluate"])
@pytest.mark.parametrize("case", MODELS)
def test_models_that_are_none(case: str, command: str, tmp_path: Path) -> None:
    write, words = MODELS[case]
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as archive:
        write(archive)
    (tmp_path / "rows.csv").write_text("\n".join(FLOWERS))
    more = {"predict": [tmp_path / "rows.csv"], "evaluate": ["--test", tmp_path / "rows.csv"]}
    port = ["--port", "0"] if command == "serve" else []
    refused(clary_here(command, tmp_path / "model.tar.gz", *more.get(command, []), *port), *words)
    assert {path.name for path in tmp_path.iterdir()} == {"model.tar.gz", "rows.csv"}


@pytest.mark.parametrize("content", [b"", b"hello", b"\x1f\x8b\x08damaged"])
def test_archives_that_are_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(content)
    done = clary_here("inspect", tmp_path / "model.tar.gz")
    refused(done, "model.tar.gz: must be a whole tar.gz archive", "damaged, cut short")


def test_an_archive_cut_short(models: dict[str, Path], tmp_path: Path) -> None:
    whole = (models["pca"] / "model.tar.gz").read_bytes()
    (tmp_path / "model.tar.gz").write_bytes(whole[: len(whole) // 2])
    refused(clary_here("inspect", tmp_path / "model.tar.gz"), "cut short")


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    refused(clary_here("inspect", tmp_path / "model"), "there is no such file or folder")
    refused(clary_here("inspect", tmp_path), "must hold a model of", "an empty folder")


def test_an_earlier_model_of_another_algorithm(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("\n".join(FLOWERS))
    earlier = f"model={models['xgboost'] / 'model.tar.gz'}"
    done = trained(tmp_path, *KMEANS, "--train", tmp_path / "rows.csv", "--channel", earlier)
    refused(done, "channel model", "of kmeans", "'xgboost'")
    nothing_left(tmp_path)


ASKED: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "rows that are not there": (("nowhere.csv",), ("nowhere.csv: must be an existing file",)),
    "no rows": (("empty.csv",), ("empty.csv: holds no rows",)),
    "rows too wide": (("wide.csv",), ("wide.csv, line 1: must have 4 features, got 5",)),
    "rows with text": (("text.csv",), ("text.csv, line 3, column 2", "'three'")),
    "an answer that is not written": (
        ("rows.csv", "--accept", "image/png"),
        ("Accept: must allow one of", "application/json", "'image/png'"),
    ),
    "rows that are not read": (
        ("rows.csv", "--content-type", "image/png"),
        ("Content-Type: must be one of", "text/csv", "'image/png'"),
    ),
    "a folder that is not there": (
        ("rows.csv", "--output", "nowhere/answers.json"),
        ("nowhere", "does not exist"),
    ),
}


@pytest.mark.parametrize("case", ASKED)
def test_predictions_that_cannot_be_made(
    case: str, models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, words = ASKED[case]
    monkeypatch.chdir(tmp_path)
    files = {
        "empty.csv": [],
        "wide.csv": TUMORS,
        "rows.csv": FLOWERS,
        "text.csv": with_line(FLOWERS, 3, "1,three,3,4"),
    }
    for name, lines in files.items():
        Path(name).write_text("\n".join(lines))
    output = () if "--output" in arguments else ("--output", "answers.json")
    refused(clary_here("predict", models["pca"], *arguments, *output), *words)
    assert {path.name for path in tmp_path.iterdir()} == set(files)


def test_scores_of_rows_without_labels(models: dict[str, Path], data: Path) -> None:
    done = clary_here("evaluate", models["xgboost"], "--test", data / "tumors-rows.csv")
    refused(done, "must have 30 features after label_size=1, got 29", "text/csv;label_size=0")
