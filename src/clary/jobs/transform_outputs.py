"""The outputs of a transform: what they are called, and which of them are written."""

from __future__ import annotations

import json
from pathlib import Path

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
