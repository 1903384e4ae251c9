"""The scripts under examples/ run, each in an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(path.name for path in EXAMPLES.iterdir() if path.suffix in {".py", ".sh"})
# A word of what each must print at least
SAID = {
    "anomalies.py": "in 6 hours: 1",
    "boosted_trees.py": "read by plain xgboost",
    "demo.py": "Report pages",
    "factorization_machines.py": "with pairs 0.5",
    "in_python.py": "saved and loaded: 3 classes",
    "in_the_shell.sh": "merror",
    "ipinsights.py": "the most unusual login today: customer-7",
    "k_means.py": "cluster 9",
    "linear_learner.py": "recall",
    "nearest_neighbors.py": "k=5: 9",
    "over_http.py": '"closest_cluster"',
    "pca.py": "20 components: accuracy 0.9",
    "svm.py": "docstrings, accuracy 0.",
    "t_sne.py": "neighbors on the map tell 9",
    "sagemaker_boto3.py": "closest_cluster",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_example_runs(name: str, tmp_path: Path) -> None:
    runner = sys.executable if name.endswith(".py") else "bash"
    done = subprocess.run(
        [runner, EXAMPLES / name],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert SAID[name] in done.stdout
