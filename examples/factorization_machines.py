"""Factorization machines: which films will a user like? The taste is in the pair, not in either."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from clary import FactorizationMachines

USERS, FILMS, RATINGS = 300, 200, 30_000

draw = np.random.default_rng(0)
taste, trait = draw.normal(0, 0.8, (USERS, 3)), draw.normal(0, 0.8, (FILMS, 3))
user, film = draw.integers(0, USERS, RATINGS), draw.integers(0, FILMS, RATINGS)
noise = draw.normal(0, 0.5, RATINGS)
rating = 3.5 + (taste[user] * trait[film]).sum(axis=1) + noise

# A row has two features: its user and its film
columns = np.column_stack([user, USERS + film]).ravel()
rows = csr_array((np.ones(2 * RATINGS), columns, np.arange(0, 2 * RATINGS + 1, 2)))
train, test = slice(0, 24_000), slice(24_000, None)


def error(pairs: bool) -> float:
    """The root of the mean squared error on held-out ratings."""
    machine = FactorizationMachines(
        predictor_type="regressor",
        num_factors=8,
        epochs=15,
        mini_batch_size=100,
        bias_lr=0.05,
        linear_lr=0.01,
        factors_lr=0.01 if pairs else 0.0,
        factors_wd=0.0003,
        factors_init_sigma=0.05 if pairs else 0.0,
    ).fit(rows[train], rating[train])
    return float(np.sqrt(np.mean((machine.predict(rows[test]) - rating[test]) ** 2)))


print(f"without pairs {error(pairs=False):.2f}, with pairs {error(pairs=True):.2f}")
print(f"the noise, which nothing can predict: {noise[test].std():.2f}")
