"""Random cut forest: a wrong value in a series that is followed row by row, and what comes next."""

from __future__ import annotations

import numpy as np

from clary import RandomCutForest

hours = np.arange(24 * 60)
rides = (
    100 + 40 * np.sin(2 * np.pi * hours / 24) + np.random.default_rng(0).normal(0, 3, len(hours))
)
rides[1218] = 130  # usual at another hour of the day, far too many for this one

forest = RandomCutForest(shingle_size=12, time_decay=0.0004)
scores = np.array([forest.score_update(value) for value in rides])
for hour in np.argsort(-scores)[:3]:
    print(f"hour {hour}: {rides[hour]:.0f} rides, score {scores[hour]:.2f}")

coming = forest.forecast(6)
for ahead, (value, low, high) in enumerate(zip(*(part[:, 0] for part in coming), strict=True), 1):
    print(f"in {ahead} hours: {value:.0f} rides, {low:.0f} to {high:.0f}")
