"""A training has its tables in memory, and hardly anything beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.codecs.batch import Batch
from clary.codecs.content_type import RECORDIO, parse_content_type
from clary.codecs.formats import encode
from tests.algorithms.test_memory import TRAINING

WIDTH, ROWS, ENTRIES = 200_000, 100_000, 8


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sparse rows in which nearly all features occur."""
    draw = np.random.default_rng(0)
    part = WIDTH // ENTRIES
    columns = draw.integers(0, part, (ROWS, ENTRIES)) + part * np.arange(ENTRIES)
    ends = np.arange(0, columns.size + 1, ENTRIES)
    ones = np.ones(columns.size, np.float32)
    rows = csr_array((ones, columns.ravel(), ends), shape=(ROWS, WIDTH))
    assert len(np.unique(columns)) > 0.95 * WIDTH
    path = tmp_path_factory.mktemp("rows") / "rows"
    with path.open("wb") as out:
        label = draw.integers(0, 2, ROWS).astype(np.float32)
        encode([Batch(rows, label)], out, parse_content_type(RECORDIO))
    return path


def peak_bytes(num_factors: int, train: Path, output: Path) -> int:
    """Of a training in a process of its own, with all that it writes."""
    settled = {"num_factors": str(num_factors), "predictor_type": "binary_classifier",
               "feature_dim": str(WIDTH)}  # fmt: skip
    given = ["factorization-machines", json.dumps(settled), str(train), str(output)]
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, *given],
        env={**os.environ, "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_grows_by_the_tables_and_little_more(records: Path, tmp_path: Path) -> None:
    small, large = (peak_bytes(k, records, tmp_path / str(k)) for k in (1, 65))
    # Vectors and two moments of each number, of 4 bytes: 154 MB. Sums of a mini-batch and blocks
    # that are freed late are the rest
    tables = 3 * 4 * WIDTH * 64
    assert large - small < 1.3 * tables
    assert large - small > 0.9 * tables
