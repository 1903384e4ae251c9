"""Models as folders and archives: with Clary's manifest, or made elsewhere."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeAlias

import clary
from clary.algorithms import declaration, model_class, names
from clary.errors import CallerError
from clary.kit.model import Model
from clary.storage.artifact import pack, unpack
from clary.storage.folder import (
    FolderStore,
    disk_full_explained,
    explained,
    temporary_sibling,
    whole_file,
)

Manifest: TypeAlias = Mapping[str, Any]

MANIFEST = ".clary.json"
_FORMAT = 1
_MEMBERS = {"algorithm": str, "hyperparameters": dict, "files": dict}


def save_model(model: Model, folder: Path) -> None:
    """Write a model's files and the manifest into an empty folder.

    The manifest names the algorithm, Clary's version, the settled hyperparameters and the digests
    of files that are to stay as they are; no times, so that the same model gives the same bytes.

    Raises:
        CallerError: the disk is full, or the folder cannot be written.
    """
    model.save(folder)
    written = [each.key for each in FolderStore(folder).objects()]
    manifest = {
        "format": _FORMAT,
        "algorithm": model.algorithm.name,
        "clary": clary.__version__,
        "hyperparameters": model.params.values(),
        "files": {name: _digest(folder / name) for name in written if name not in model.editable},
    }
    with whole_file(folder / MANIFEST) as out:
        out.write(json.dumps(manifest, indent=1).encode() + b"\n")


def replace_model(model: Model, path: Path) -> None:
    """Put a model in the place of an earlier one.

    One archive where the name ends in `.tar.gz`, which is replaced in one step, so that a process
    that is killed leaves the one model or the other; else a folder, in two steps.

    Raises:
        CallerError: it cannot be written there, or what is there is no model.
    """
    if path.is_dir() and not (path / MANIFEST).exists() and any(path.iterdir()):
        raise CallerError.of(f"folder {path}", "must be a model's, or empty, or not there yet")
    partial, old = temporary_sibling(path), temporary_sibling(path)
    try:
        with explained(path.parent), disk_full_explained(path):
            partial.mkdir()
            save_model(model, partial)
            if path.name.endswith(".tar.gz"):
                pack(partial, path)
                return
            if path.exists():
                path.rename(old)
            partial.rename(path)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def load_model(path: Path, algorithm: str | None = None) -> Model:
    """The model of a folder or a model.tar.gz.

    Without Clary's manifest each algorithm is asked whether it recognizes the files; `algorithm`
    says which it is.

    Raises:
        CallerError: there is nothing, it is no model, it is damaged, or it is another algorithm's.
    """
    if path.is_dir():
        return _loaded(path, path, algorithm)
    if not path.exists():
        raise CallerError.of(f"model {path}", "there is no such file or folder")
    with TemporaryDirectory(prefix="clary-model-") as scratch:
        folder = Path(scratch) / "model"
        unpack(path, folder)
        return _loaded(folder, path, algorithm)


def manifest_of(folder: Path, thing: str, algorithm: str | None = None) -> Manifest | None:
    """The manifest that Clary wrote beside a model's files; None where there is none.

    `thing` is what messages call the model.

    Raises:
        CallerError: it cannot be read, it is another algorithm's, or a file is not as it was.
    """
    manifest = _manifest(folder, thing)
    if manifest is None:
        return None
    if algorithm and manifest["algorithm"] != algorithm:
        raise CallerError.of(thing, f"must be a model of {algorithm}", manifest["algorithm"])
    for name, digest in manifest["files"].items():
        path = folder / name
        if not path.is_file():
            raise CallerError.of(thing, f"its file {name} is missing")
        if _digest(path) != digest:
            remedy = "It was damaged or replaced since; take the model from where it came."
            raise CallerError.of(thing, f"its file {name} is not as it was written", remedy=remedy)
    return manifest


def _loaded(folder: Path, path: Path, algorithm: str | None) -> Model:
    """`path` is what messages call it."""
    archive = folder / "model.tar.gz"
    if archive.is_file() and not (folder / MANIFEST).exists():
        return load_model(archive, algorithm)
    wanted = declaration(algorithm).name if algorithm else None
    manifest = manifest_of(folder, f"model {path}", wanted)
    name = manifest["algorithm"] if manifest else wanted
    kind = model_class(declaration(name)) if name else _recognized(folder, path)
    loaded: Model = kind.load(folder, manifest["hyperparameters"] if manifest else None)
    return loaded


def _manifest(folder: Path, thing: str) -> Manifest | None:
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise CallerError.of(thing, f"{MANIFEST} cannot be read", str(error)) from error
    except (ValueError, RecursionError) as error:
        raise CallerError.of(thing, f"{MANIFEST} must be JSON", str(error)) from error
    if not isinstance(manifest, dict) or not all(
        isinstance(manifest.get(name), kind) for name, kind in _MEMBERS.items()
    ):
        raise CallerError.of(thing, f"{MANIFEST} is not a manifest of Clary's")
    if manifest.get("format") != _FORMAT:
        raise CallerError.of(
            thing,
            f"its format must be {_FORMAT}",
            manifest.get("format"),
            "It was made by another version of Clary.",
        )
    return manifest


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _recognized(folder: Path, path: Path) -> Any:
    """The class of the algorithm that knows these files."""
    for name in names():
        kind = model_class(declaration(name))
        if kind.recognizes(folder):
            return kind
    found = ", ".join(sorted(each.name for each in folder.iterdir())[:5])
    raise CallerError.of(
        f"model {path}",
        f"must hold a model of {', '.join(names())}",
        found or "an empty folder",
    )
