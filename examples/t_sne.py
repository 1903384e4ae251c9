"""t-SNE: a map of digits made without their labels, and what neighbors on it tell of new ones."""

from __future__ import annotations

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from clary import TSNE

rows, digits = load_digits(return_X_y=True)
known, new, known_digits, new_digits = train_test_split(rows, digits, random_state=0)
tsne = TSNE(perplexity=30)
places = tsne.fit_transform(known)
print(f"Kullback-Leibler divergence {tsne.kl_divergence_:.3f}")

neighbors = KNeighborsClassifier(10).fit(places, known_digits)
accuracy = neighbors.score(tsne.transform(new), new_digits)
print(f"neighbors on the map tell {accuracy:.1%} of new digits")
