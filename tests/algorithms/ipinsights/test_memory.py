"""A training takes the memory of its tables, however many pairs there are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.algorithms.ipinsights.training import logins

# Trains and tells the most memory that the process ever had; ru_maxrss would count its parent's
TRAINING = """
import re, sys
from pathlib import Path
from clary.data.sources import Source
from clary.runtime.launch import Training, launch
rows, train, output = sys.argv[1:]
given = {"num_entity_vectors": rows, "vector_dim": "128", "epochs": "1"}
launch(Training("ipinsights", given, [Source("train", train)], Path(output)))
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
MIB = 2**20
FEW_ROWS, MANY_ROWS = 20_000, 220_000


def peak_bytes(rows: int, train: Path, output: Path) -> int:
    """The peak of a training in a process of its own, which keeps nothing between epochs."""
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, str(rows), str(train), str(output)],
        env={**os.environ, "CLARY_CACHE_BYTES": "0", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_grows_with_the_tables_and_not_with_the_pairs(tmp_path: Path) -> None:
    text = "".join(f"{who},{ip}\n" for who, ip in logins(300_000))
    few, many = tmp_path / "few.csv", tmp_path / "many.csv"
    few.write_text(text)
    many.write_text(text * 12)
    small = peak_bytes(FEW_ROWS, few, tmp_path / "1")
    large = peak_bytes(MANY_ROWS, few, tmp_path / "2")
    longer = peak_bytes(FEW_ROWS, many, tmp_path / "3")
    tables = 3 * 4 * 128 * (MANY_ROWS - FEW_ROWS)
    assert large - small < 1.1 * tables
    # Kept, 3.3 million pairs would take 100 MiB; blocks freed and allocated again leave gaps
    assert longer - small < 55 * MIB
