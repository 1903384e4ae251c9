"""SVM on text: which library was a docstring written for?"""

from __future__ import annotations

import inspect
from importlib import import_module

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline

from clary import SVM

LIBRARIES = {
    "numpy": ["numpy", "numpy.linalg", "numpy.fft"],
    "scipy": ["scipy.stats", "scipy.signal", "scipy.ndimage", "scipy.linalg"],
    "sklearn": ["sklearn.metrics", "sklearn.datasets", "sklearn.cluster", "sklearn.ensemble"],
}

texts, libraries = [], []
for library, modules in LIBRARIES.items():
    found = {
        inspect.getdoc(getattr(import_module(module), name, None)) or ""
        for module in modules
        for name in dir(import_module(module))
        if not name.startswith("_")
    }
    # One paragraph tells little, and the library's own name would tell too much
    first = sorted(one.split("\n\n")[0].replace(library, "") for one in found)
    texts += [one for one in first if len(one) > 20]
    libraries += [library] * (len(texts) - len(libraries))

train, test, train_labels, test_labels = train_test_split(
    texts, np.array(libraries), test_size=0.3, random_state=0, stratify=libraries
)
classifier = make_pipeline(
    TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)),
    SVM(predictor_type="multiclass_classifier", kernel="linear", probability=True),
)
classifier.fit(train, train_labels)
guess = float(np.mean(test_labels == "scipy"))
accuracy = classifier.score(test, test_labels)
print(f"{len(train)} docstrings, accuracy {accuracy:.2f}, guessing {guess:.2f}")
for text in ("Compute the sample covariance of an array.", "Fit a forest of trees to labels."):
    chances = zip(classifier.classes_, classifier.predict_proba([text])[0], strict=True)
    print(text, ", ".join(f"{library} {chance:.2f}" for library, chance in chances))
