"""How a question says that an answer is not as it must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

_SHORTEST_SENTENCE = 20


class Wrong(Exception):
    """An answer that is not as it must be."""


def want(right: bool, wrong: str) -> None:
    """
    Raises:
        Wrong: it is not right.
    """
    if not right:
        raise Wrong(wrong)


def want_refused(what: str, refusal: str | None, *words: str) -> str:
    """A refusal in a sentence that has the words, as an answer to show.

    Raises:
        Wrong: nothing was refused, or nobody could tell from the words what to mend.
    """
    want(refusal is not None, f"{what}: was not refused")
    text = refusal or ""
    want(len(text) > _SHORTEST_SENTENCE, f"{what}: {text}")
    missing = [word for word in words if word not in text]
    want(not missing, f"{what}: does not say {', '.join(missing)}: {text}")
    return f"{what}: {text.splitlines()[0]}"


def want_same(
    what: str, found: Mapping[str, Any], wanted: Mapping[str, Any], tolerance: float
) -> None:
    """
    Raises:
        Wrong: other names, or numbers further apart than the tolerance, relative to the largest.
    """
    want(set(found) == set(wanted), f"{what}: {sorted(found)} instead of {sorted(wanted)}")
    for name, values in wanted.items():
        one, other = np.float64(found[name]), np.float64(values)
        want(one.shape == other.shape, f"{what}: {name} has shape {one.shape}, not {other.shape}")
        scale = np.abs(other).max(initial=1e-12, where=np.isfinite(other))
        apart = np.abs(one - other).max(initial=0.0, where=np.isfinite(other)) / scale
        same_kind = np.array_equal(np.isnan(one), np.isnan(other))
        want(same_kind and apart <= tolerance, f"{what}: {name} differs by {apart:.3g}")
