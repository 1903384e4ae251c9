"""The data that scripts train on: scikit-learn's sets, and its own models of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split


def write(folder: Path) -> None:
    """`digits`, `tumors` and `diabetes` as .npz, the digits also as a CSV with the label first."""
    _digits(folder)
    parts = _parts(load_breast_cancer(return_X_y=True))
    np.savez(folder / "tumors.npz", **parts)
    parts = _parts(load_diabetes(return_X_y=True))
    model = GradientBoostingRegressor(n_estimators=20, learning_rate=0.2, random_state=0)
    found = model.fit(parts["train"], parts["train_label"]).predict(parts["test"])
    error = np.sqrt(np.mean((found - parts["test_label"]) ** 2))
    np.savez(folder / "diabetes.npz", boosted_error=error, **parts)


def _digits(folder: Path) -> None:
    parts = _parts(load_digits(return_X_y=True))
    rows, label = parts["train"], parts["train_label"]
    linear = LogisticRegression(max_iter=300).fit(rows / 16, label)
    np.savez(
        folder / "digits.npz",
        inertia=KMeans(10, n_init=3, random_state=0).fit(rows).inertia_,
        components=PCA(5, svd_solver="full").fit(rows).components_,
        logistic_accuracy=linear.score(parts["test"] / 16, parts["test_label"]),
        **parts,
    )
    np.savetxt(folder / "digits.csv", np.column_stack([label, rows]), delimiter=",", fmt="%g")


def _parts(data: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    parts = train_test_split(*data, test_size=0.25, random_state=0)
    return dict(zip(("train", "test", "train_label", "test_label"), parts, strict=True))
