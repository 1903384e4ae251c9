"""IP Insights: a stolen account among logins. No real log is free, so a rule makes this one."""

from __future__ import annotations

import numpy as np

from clary import IPInsights

draw = np.random.default_rng(0)
networks = draw.integers(1 << 16, 224 << 16, 300)  # of 256 addresses each


def address(customer: int) -> str:
    """Anywhere in the network of a customer."""
    number = (int(networks[customer]) << 8) + int(draw.integers(256))
    return ".".join(str(number >> shift & 255) for shift in (24, 16, 8, 0))


who = draw.integers(0, len(networks), 30_000)
logins = [(f"customer-{one}", address(one)) for one in who]
learned = IPInsights(
    num_entity_vectors=600, vector_dim=32, mini_batch_size=500, learning_rate=0.01, epochs=5
).fit(logins[:-1000], validation=logins[-1000:])
print(f"AUC {learned.metrics_['validation:discriminator_auc'][-1][1]:.3f}")

# Somebody with the password of customer 7 logs in from where customer 8 lives
today = [*logins[-50:], ("customer-7", address(8))]
scores = learned.score_samples(today)
print("the most unusual login today:", *today[scores.argmin()])
