"""Linear learner: find nearly all malignant tumors, with as few false alarms as possible."""

from __future__ import annotations

from sklearn.datasets import load_breast_cancer
from sklearn.metrics import precision_score, recall_score
from sklearn.model_selection import train_test_split

from clary import LinearLearner

rows, benign = load_breast_cancer(return_X_y=True)
malignant = 1 - benign
train, test, y_train, y_test = train_test_split(rows, malignant, random_state=0)
fitting, validation, y_fitting, y_validation = train_test_split(train, y_train, random_state=0)

learner = LinearLearner(
    predictor_type="binary_classifier",
    binary_classifier_model_selection_criteria="precision_at_target_recall",
    target_recall=0.95,
).fit(fitting, y_fitting, validation=(validation, y_validation))

found = learner.predict(test)
print(f"recall {recall_score(y_test, found):.3f}, precision {precision_score(y_test, found):.3f}")
