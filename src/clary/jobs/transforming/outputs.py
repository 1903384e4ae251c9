"""The outputs of a transform: what they are called, and which of them are written."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from clary.storage.folder import whole_file

SUFFIX = ".out"
# In an instance's folder: the names of the objects whose outputs are written, a JSON text a line
WRITTEN = "written"


def output_uri(output: str, name: str) -> str:
    """Where the output of an object is."""
    return f"{output.rstrip('/')}/{name}{SUFFIX}"


def written_names(folder: Path) -> list[str]:
    """The objects of an instance whose outputs are in the store."""
    try:
        lines = (folder / WRITTEN).read_text().splitlines(keepends=True)
    except FileNotFoundError:
        return []
    # The last line of a killed worker may be cut
    return [json.loads(line) for line in lines if line.endswith("\n")]


@contextmanager
def ledger(folder: Path) -> Iterator[Callable[[str], None]]:
    """Notes the names of objects whose outputs are in the store, after those noted before."""
    before = written_names(folder)
    with whole_file(folder / WRITTEN) as out:
        out.writelines(f"{json.dumps(name)}\n".encode() for name in before)
    with (folder / WRITTEN).open("a") as file:

        def note(name: str) -> None:
            file.write(json.dumps(name) + "\n")
            file.flush()

        yield note
