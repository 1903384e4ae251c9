"""Clary from Python: estimators of scikit-learn's kind over data frames."""

from __future__ import annotations

from sklearn.datasets import load_wine
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from clary import LinearLearner, load

wine = load_wine(as_frame=True)
model = Pipeline(
    [
        ("scale", StandardScaler()),
        ("learn", LinearLearner(predictor_type="multiclass_classifier", epochs=5)),
    ]
)
search = GridSearchCV(model, {"learn__wd": [1e-4, 1e-2]}, cv=3).fit(wine.data, wine.target)
print(f"best {search.best_params_}: accuracy {search.best_score_:.3f}")

learner = search.best_estimator_["learn"]
learner.save("wine.tar.gz")
print(f"saved and loaded: {load('wine.tar.gz').coef_.shape[0]} classes")
