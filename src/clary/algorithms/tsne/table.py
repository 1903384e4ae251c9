"""The table of a map: a line for each row of the training data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import csv

from clary.codecs.batch import Floats
from clary.storage.folder import whole_file

NAME = "embedding.csv"
_AXES = ("x", "y", "z")


def write_table(folder: Path, places: Floats, label: Floats | None) -> None:
    """Columns row, label (where there is one), x, y (and z), with a header line."""
    columns: dict[str, npt.NDArray[Any]] = {"row": np.arange(len(places))}
    if label is not None:
        columns["label"] = label.astype(np.int64) if np.all(label == np.round(label)) else label
    columns |= {name: places[:, i] for i, name in enumerate(_AXES[: places.shape[1]])}
    folder.mkdir(parents=True, exist_ok=True)
    with whole_file(folder / NAME) as stream:
        # pyarrow would put the names in quotes
        stream.write(f"{','.join(columns)}\n".encode())
        csv.write_csv(pa.table(columns), stream, csv.WriteOptions(include_header=False))
