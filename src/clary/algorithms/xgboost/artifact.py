"""The files of a model: one `xgboost-model`, or `xgboost-model-0`, … of a cross-validation.

They are what XGBoost itself writes, and plain XGBoost reads them. As in SageMaker's image, every
file whose name does not start with a dot is a model. Older images wrote other forms: the binary
one is read; a Python pickle could run anything when it is read, so it is refused.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import xgboost

from clary.algorithms.xgboost.binary_form import is_binary_form, translated
from clary.errors import CallerError
from clary.storage.folder import whole_file

_NAME = "xgboost-model"
_HEAD_BYTES = 4096
_PICKLE = b"\x80"


def write_boosters(boosters: Sequence[xgboost.Booster], folder: Path) -> None:
    """The models as UBJSON, which XGBoost's save_model writes where a name has no ending."""
    for number, booster in enumerate(boosters):
        name = _NAME if len(boosters) == 1 else f"{_NAME}-{number}"
        with whole_file(folder / name) as stream:
            stream.write(booster.save_raw("ubj"))


def read_boosters(folder: Path) -> list[xgboost.Booster]:
    """The models of a folder, in the order of their names.

    Raises:
        CallerError: there are none, or one of the files is none.
    """
    files = _files(folder)
    if not files:
        raise CallerError.of(
            f"folder {folder}", "must hold a model file", remedy=f"Such as {_NAME}."
        )
    return [_booster(file) for file in files]


def holds_boosters(folder: Path) -> bool:
    """Whether all files look like models of XGBoost, so far as their beginnings tell."""
    files = _files(folder)
    return bool(files) and all(_looks_right(file) for file in files)


def _files(folder: Path) -> list[Path]:
    found = [one for one in folder.iterdir() if one.is_file() and not one.name.startswith(".")]
    return sorted(found, key=lambda one: (len(one.name), one.name))


def _looks_right(file: Path) -> bool:
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    is_ours = file.name.startswith(_NAME)
    return (head[:1] == b"{" and b"learner" in head) or (
        is_ours and (head[:1] == _PICKLE or is_binary_form(head))
    )


def _booster(file: Path) -> xgboost.Booster:
    content = file.read_bytes()
    thing = f"model file {file.name}"
    if is_binary_form(content):
        content = translated(content, thing)
    elif content[:1] == _PICKLE:
        raise CallerError.of(
            thing,
            "is a Python pickle, as images up to 1.2-2 wrote it, and pickles are not read here",
            remedy="Convert it with the XGBoost of its time, where you trust it: "
            "pickle.load(open('xgboost-model', 'rb')).save_model('xgboost-model.json').",
        )
    elif content[:1] != b"{":
        raise CallerError.of(thing, "is not a model of XGBoost")
    try:
        return xgboost.Booster(model_file=bytearray(content))
    # The engine quotes the bytes that it does not understand
    except (xgboost.core.XGBoostError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0].rpartition(": ")[2]
        raise CallerError.of(thing, f"is not a whole model of XGBoost ({reason})") from error
