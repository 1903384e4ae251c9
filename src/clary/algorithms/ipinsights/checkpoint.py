"""The state after an epoch in a folder: parameters, moments, and the number of steps.

All rows are brought up to the last step then.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights.adam import Weights
from clary.algorithms.ipinsights.learner import Learner
from clary.errors import CallerError
from clary.kit.cluster import Cluster
from clary.kit.run import Checkpoints

_PARTS = ("values", "first", "second")
_STEPS = "steps.npy"


def write(learner: Learner, folder: Path) -> None:
    """Write the state into a folder."""
    for name in ("entities", "encoder"):
        weights = getattr(learner, name)
        for part in _PARTS:
            np.save(folder / f"{name}.{part}.npy", getattr(weights, part), allow_pickle=False)
    np.save(folder / _STEPS, np.array([learner.steps]), allow_pickle=False)


def restored(learner: Learner, checkpoints: Checkpoints, cluster: Cluster) -> int:
    """Bring every host's learner into the leader's newest state: after which epoch, or 0.

    Raises:
        CallerError: it is damaged, or of other hyperparameters.
    """
    latest = checkpoints.latest() if cluster.is_leader else None
    epoch = cluster.broadcast(latest[0] if latest else None)
    if epoch is None:
        return 0
    folder = latest[1] if latest else None
    learner.steps = int(cluster.broadcast(_read(folder, _STEPS, None) if folder else None)[0])
    for name in ("entities", "encoder"):
        like = getattr(learner, name).values
        parts = {
            part: cluster.broadcast(_read(folder, f"{name}.{part}.npy", like) if folder else None)
            for part in _PARTS
        }
        last = np.full(len(parts["values"]), learner.steps, np.int32)
        setattr(learner, name, Weights(**parts, last=last))
    return int(epoch)


def _read(folder: Path, name: str, like: npt.NDArray[np.float32] | None) -> npt.NDArray[Any]:
    path = folder / name
    try:
        found: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CallerError.of(f"checkpoint {path}", "is damaged or foreign", str(error)) from error
    # Octets of IPv6 may have come since the training began
    if like is not None and (found.shape[1:] != like.shape[1:] or len(found) < len(like)):
        rule = "must be of the hyperparameters of this training"
        remedy = "Empty the folder of checkpoints to begin anew."
        raise CallerError.of(f"checkpoint {path}", rule, found.shape, remedy)
    return found
