"""PCA: ten numbers in place of 64, and what a linear model makes of them."""

from __future__ import annotations

from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from clary import PCA, LinearLearner

rows, digits = load_digits(return_X_y=True)
for components in (2, 10, 20):
    model = make_pipeline(
        PCA(num_components=components), LinearLearner(predictor_type="multiclass_classifier")
    )
    accuracy = cross_val_score(model, rows, digits, cv=3).mean()
    print(f"{components:2} components: accuracy {accuracy:.3f}")
