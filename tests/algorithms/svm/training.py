"""What the tests of support vector machines share: real rows, and trainings in memory."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.preprocessing import StandardScaler

from clary.algorithms.svm.fit import fit
from clary.algorithms.svm.model import SVMModel
from clary.algorithms.svm.spec import ALGORITHM, SVMHyperparameters
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.kit.run import Run
from tests.algorithms.listening import Listener

Array = npt.NDArray[Any]

BINARY, MULTI, NUMBER = "binary_classifier", "multiclass_classifier", "regressor"
_LOADERS = {BINARY: load_breast_cancer, MULTI: load_digits, NUMBER: load_diabetes}


@cache
def rows_of(predictor_type: str, count: int = 400) -> tuple[Array, Array]:
    """The first rows of tumors, digits or patients, scaled, as float32, and their labels."""
    features, labels = _LOADERS[predictor_type](return_X_y=True)
    scaled = StandardScaler().fit_transform(features).astype(np.float32)
    return scaled[:count], labels[:count].astype(np.float32)


def batch_of(predictor_type: str, *, sparse: bool = False, **rest: Any) -> Batch:
    features, labels = rows_of(predictor_type)
    return Batch(csr_array(features) if sparse else features, labels, **rest)


def running(batch: Batch, hyperparameters: dict[str, Any], **rest: Any) -> Run[Any]:
    channels = {"train": MemoryChannel("train", batch)}
    params = SVMHyperparameters.parse(hyperparameters)
    return Run(ALGORITHM, params, channels, **{"reporter": Listener(), **rest})


def trained(batch: Batch, /, **hyperparameters: Any) -> SVMModel:
    return fit(running(batch, hyperparameters))
