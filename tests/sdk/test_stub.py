"""What an editor or a type checker tells of the estimators."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_PROGRAM = """
import clary
from clary import PCA, KMeans, LinearLearner, XGBoost

clusters = KMeans(k=3, init_method="kmeans++", extra_center_factor="auto", seed=1)
learner = LinearLearner(predictor_type="regressor", learning_rate=0.1, wd="auto")
trees = XGBoost(num_round=10, lambda_=2, eval_metric=["auc"], deterministic_histogram=True)
learner.fit([[1.0]], [1], sample_weight=[2])
loaded: KMeans = clary.load("model")
reveal_type(clusters.fit([[1.0]]).cluster_centers_)
PCA()
KMeans(k=3, init_method="kmeens")
KMeans(k=3, epoch=2)
"""
_SAID = [
    'user.py:10: note: Revealed type is "numpy.ndarray',
    'user.py:11: error: Missing named argument "num_components" for "PCA"',
    'user.py:12: error: Argument "init_method" to "KMeans" has incompatible type',
    'user.py:13: error: Unexpected keyword argument "epoch" for "KMeans"; did you mean "epochs"?',
]


def test_a_type_checker_knows_hyperparameters_their_words_and_what_is_required(
    tmp_path: Path,
) -> None:
    (tmp_path / "user.py").write_text(_PROGRAM)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", tmp_path / "cache", "user.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in checked.stdout.splitlines() if "defined in" not in line][:-1]
    assert len(lines) == len(_SAID), checked.stdout
    assert all(line.startswith(said) for line, said in zip(lines, _SAID, strict=True)), lines
