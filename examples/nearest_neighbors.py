"""k-nearest neighbors: handwritten digits told by those that look most alike, and by which."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from clary import KNN

rows, digits = load_digits(return_X_y=True)
train, test, known, wanted = train_test_split(rows, digits, test_size=0.25, random_state=0)
knn = KNN(k=5, predictor_type="classifier").fit(train, known)
print(f"k=5: {knn.score(test, wanted):.1%} of {len(test)} digits are told right")

# One search tells the neighbors for every smaller k
_, places = knn.kneighbors(test)
nearest = known[places[:, 0]]
print(f"k=1: {np.mean(nearest == wanted):.1%}")

for row in np.flatnonzero(knn.predict(test) != wanted)[:3]:
    alike = ", ".join(str(digit) for digit in known[places[row]])
    print(f"a {wanted[row]} taken for a {knn.predict(test[[row]])[0]}: it looks like {alike}")
