"""Estimators on disk: SageMaker's artifact, and beside it what only Python knows."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clary.errors import CallerError
from clary.kit.model import Model
from clary.runtime.models import MANIFEST, load_model, save_model
from clary.storage.artifact import pack
from clary.storage.folder import disk_full_explained, explained, temporary_sibling

# SageMaker's artifacts have no place for names of features and for labels other than 0, 1, …
_NOTES = ".estimator.json"
_ARCHIVE = "model.tar.gz"


def save(model: Model, notes: Mapping[str, Any], target: Path) -> None:
    """Write a folder, or one archive where the name ends in `.tar.gz`; whole or not at all.

    Raises:
        CallerError: it cannot be written there.
    """
    partial = temporary_sibling(target)
    try:
        with explained(target.parent), disk_full_explained(target):
            partial.mkdir(parents=True)
            save_model(model, partial)
            (partial / _NOTES).write_text(json.dumps(notes) + "\n")
            if target.name.endswith(".tar.gz"):
                pack(partial, target)
            else:
                _move(partial, target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def load(path: Path) -> tuple[Model, dict[str, Any]]:
    """The model of a folder or an archive, and the notes kept beside it.

    Raises:
        CallerError: it is no model, or a damaged one.
    """
    model = load_model(path)
    if path.is_dir() and not (path / MANIFEST).exists() and (path / _ARCHIVE).is_file():
        path = path / _ARCHIVE
    text = _folder_notes(path) if path.is_dir() else _archive_notes(path)
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        notes = None
    if not isinstance(notes, dict):
        raise CallerError.of(f"model {path}", f"its file {_NOTES} must hold a JSON object")
    return model, notes


def _move(source: Path, target: Path) -> None:
    """Files of an earlier model there are replaced; the manifest comes last."""
    target.mkdir(exist_ok=True)
    for each in sorted(source.iterdir(), key=lambda path: path.name == MANIFEST):
        each.replace(target / each.name)


def _folder_notes(folder: Path) -> bytes:
    path = folder / _NOTES
    return path.read_bytes() if path.exists() else b"{}"


def _archive_notes(archive: Path) -> bytes:
    """Of an archive that has been unpacked already, and so is known to do no harm."""
    with tarfile.open(archive) as tar:
        if _NOTES not in tar.getnames():
            return b"{}"
        member = tar.extractfile(_NOTES)
        return b"{}" if member is None else member.read()
