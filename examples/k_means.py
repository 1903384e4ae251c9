"""K-means: groups of handwritten digits, and how pure they are."""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_digits

from clary import KMeans

rows, digits = load_digits(return_X_y=True)
clusters = KMeans(k=10).fit(rows)
members = clusters.predict(rows)

for cluster in range(10):
    counts = np.bincount(digits[members == cluster], minlength=10)
    share = counts.max() / counts.sum()
    print(f"cluster {cluster}: {counts.sum():3} rows, {share:.0%} of them a {counts.argmax()}")
