"""XGBoost: a regression that stops by itself, and a model file that plain xgboost reads."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path

import xgboost
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

from clary import XGBoost

rows, progression = load_diabetes(return_X_y=True)
train, rest, y_train, y_rest = train_test_split(rows, progression, random_state=0)

trees = XGBoost(
    objective="reg:squarederror", num_round=500, eta=0.05, max_depth=3, early_stopping_rounds=20
).fit(train, y_train, validation=(rest, y_rest))
print(f"R² on validation {trees.score(rest, y_rest):.3f}")

with tempfile.TemporaryDirectory() as folder:
    trees.save(Path(folder) / "model.tar.gz")
    with tarfile.open(Path(folder) / "model.tar.gz") as archive:
        archive.extract("xgboost-model", folder, filter="data")
    model = (Path(folder) / "xgboost-model").rename(Path(folder) / "model.ubj")
    booster = xgboost.Booster(model_file=model)
print(f"{booster.num_boosted_rounds()} rounds, read by plain xgboost")
