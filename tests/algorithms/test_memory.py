"""A training needs as much memory for a large file as for a small one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from clary.codecs.batch import Batch
from clary.codecs.content_type import parse_content_type
from clary.codecs.formats import encode

# Trains and tells the most memory that the process ever had; ru_maxrss would count its parent's
TRAINING = """
import json, re, sys
from pathlib import Path
from clary.data.sources import Source
from clary.runtime.launch import Training, launch
algorithm, hyperparameters, train, output = sys.argv[1:]
launch(Training(algorithm, json.loads(hyperparameters), [Source("train", train)], Path(output)))
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
SETTINGS = {
    "kmeans": {"k": "10"},
    "pca": {"num_components": "10"},
    "knn": {"k": "5", "predictor_type": "classifier", "sample_size": "2000"},
    "linear-learner": {"predictor_type": "regressor", "epochs": "1", "num_models": "2"},
}
MIB = 2**20
# Samples, which are of fixed size, are full with the fewer ones
FEW_COPIES, MANY_COPIES = 320, 960
RECORDS, TEXT = "application/x-recordio-protobuf", "text/csv"
KEPT_BETWEEN_EPOCHS = 4 * MIB


@pytest.fixture(scope="module", params=[RECORDS, pytest.param(TEXT, marks=pytest.mark.slow)])
def files(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Path]]:
    """The digits of scikit-learn many times over, and three times as many."""
    rows, label = load_digits(return_X_y=True)
    batch = Batch(rows.astype(np.float32), label.astype(np.float32))
    found = [tmp_path_factory.mktemp("rows") / "rows" for _ in range(2)]
    for path, copies in zip(found, (FEW_COPIES, MANY_COPIES), strict=True):
        with path.open("wb") as out:
            encode([batch] * copies, out, parse_content_type(request.param))
    yield found
    for path in found:
        path.unlink()


def peak_bytes(algorithm: str, train: Path, output: Path) -> int:
    """The peak of a training in a process of its own."""
    hyperparameters = json.dumps(SETTINGS[algorithm])
    done = subprocess.run(
        [sys.executable, "-c", TRAINING, algorithm, hyperparameters, str(train), str(output)],
        env={**os.environ, "CLARY_CACHE_BYTES": str(KEPT_BETWEEN_EPOCHS), "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
@pytest.mark.parametrize("algorithm", SETTINGS)
def test_a_three_times_larger_file_takes_no_more_memory(
    algorithm: str, files: list[Path], tmp_path: Path
) -> None:
    few, many = (
        peak_bytes(algorithm, path, tmp_path / str(number)) for number, path in enumerate(files)
    )
    sizes = [path.stat().st_size for path in files]
    # Kept rows would add the whole difference of 333 MiB; batches freed and allocated again leave
    # gaps that differ from run to run: 55 MiB at most were seen
    assert many - few < (sizes[1] - sizes[0]) / 3
