"""Models as folders and archives: with Clary's manifest, or made elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import clary
from clary.algorithms import declaration, model_class, names
from clary.errors import CallerError
from clary.kit.model import Model
from clary.storage.artifact import unpack
from clary.storage.folder import whole_file

MANIFEST = ".clary.json"
_FORMAT = 1


def save_model(model: Model, folder: Path) -> None:
    """Write a model's files and the manifest into an existing folder.

    The manifest names the algorithm, Clary's version and the settled hyperparameters; no times, so
    that the same model gives the same bytes.

    Raises:
        CallerError: the disk is full, or the folder cannot be written.
    """
    model.save(folder)
    manifest = {
        "format": _FORMAT,
        "algorithm": model.algorithm.name,
        "clary": clary.__version__,
        "hyperparameters": model.params.values(),
    }
    with whole_file(folder / MANIFEST) as out:
        out.write(json.dumps(manifest, indent=1).encode() + b"\n")


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


def _loaded(folder: Path, path: Path, algorithm: str | None) -> Model:
    """`path` is what messages call it."""
    archive = folder / "model.tar.gz"
    if archive.is_file() and not (folder / MANIFEST).exists():
        return load_model(archive, algorithm)
    manifest = _manifest(folder, path)
    name = manifest.get("algorithm") if manifest else algorithm
    if algorithm and name != declaration(algorithm).name:
        raise CallerError.of(f"model {path}", f"must be one of {algorithm}", name)
    kind = model_class(declaration(name)) if name else _recognized(folder, path)
    loaded: Model = kind.load(folder, manifest.get("hyperparameters") if manifest else None)
    return loaded


def _manifest(folder: Path, path: Path) -> Mapping[str, Any] | None:
    try:
        text = (folder / MANIFEST).read_text()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise CallerError.of(f"model {path}", f"{MANIFEST} cannot be read", str(error)) from error
    try:
        manifest = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CallerError.of(f"model {path}", f"{MANIFEST} must be JSON", str(error)) from error
    if (
        not isinstance(manifest, dict)
        or not isinstance(manifest.get("algorithm"), str)
        or not isinstance(manifest.get("hyperparameters"), dict)
    ):
        raise CallerError.of(f"model {path}", f"{MANIFEST} is not a manifest of Clary's")
    if manifest.get("format") != _FORMAT:
        raise CallerError.of(
            f"model {path}",
            f"its format must be {_FORMAT}",
            manifest.get("format"),
            "It was made by another version of Clary.",
        )
    return manifest


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
