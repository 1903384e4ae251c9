"""What every Python estimator does: hyperparameters as keyword arguments, fit, save and load."""

from __future__ import annotations

import inspect
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from clary.algorithms import declaration, fit_of
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError, Fault
from clary.kit.model import Model, Outputs
from clary.kit.run import Run
from clary.sdk import saved
from clary.sdk.rows import features_of
from clary.spec.algorithm import Algorithm
from clary.spec.signature import docstring, python_name, signature, wire_name


class Estimator(BaseEstimator):  # type: ignore[misc]
    """One algorithm of the catalogue as a scikit-learn estimator.

    Attributes after `fit`:
        model_: the trained model.
        metrics_: every reported metric by name, as (epoch or None, value) pairs.
        params_: the hyperparameters as settled, by SageMaker's names.
    """

    algorithm: ClassVar[Algorithm]
    model_: Model
    metrics_: dict[str, list[tuple[int | None, float]]]
    params_: dict[str, Any]
    n_features_in_: int

    def __init_subclass__(cls, algorithm: str = "", **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if algorithm:
            cls.algorithm = declaration(algorithm)
            cls.__doc__ = docstring(cls.algorithm, inspect.cleandoc(cls.__doc__ or ""))
            cls.__init__ = _constructor(cls.algorithm)  # type: ignore[method-assign]

    def fit(self, X: Any, y: Any = None) -> Self:
        """Train on rows X of shape (rows, width); y is ignored.

        Args:
            X: numpy, scipy sparse, pandas, polars or pyarrow.
            y: takes the place that scikit-learn's pipelines give it.

        Raises:
            CallerError: a hyperparameter or the data cannot be used; it is a ValueError too.
            ValueError: X is not what scikit-learn takes.
        """
        return self._train({"train": self._rows(X, fitting=True)})

    def save(self, path: str | Path) -> None:
        """Write the model: a folder, or one archive where the name ends in `.tar.gz`.

        It is SageMaker's artifact: `clary predict`, `clary serve` and endpoints take it.

        Raises:
            CallerError: it cannot be written there; nothing is left behind.
        """
        check_is_fitted(self)
        saved.save(self.model_, self._notes(), Path(path))

    @classmethod
    def restored(cls, model: Model, notes: Mapping[str, Any]) -> Self:
        """The estimator as if it had been fitted to the model.

        What the data told, as `feature_dim`, is left out of its hyperparameters.
        """
        declared = model.algorithm.hyperparameters.declared()
        given = {n: v for n, v in model.params.given().items() if not declared[n].inferred}
        estimator = cls(**{python_name(name): value for name, value in given.items()})
        estimator._restore(model, notes)
        return estimator

    def _train(self, batches: Mapping[str, Batch]) -> Self:
        channels = {name: MemoryChannel(name, batch) for name, batch in batches.items()}
        with value_errors(lonely=batches["train"].rows == 1):
            self._run(channels)
        return self

    def _run(self, channels: Mapping[str, MemoryChannel]) -> None:
        history = _History()
        params = self.algorithm.hyperparameters.parse(self._hyperparameters())
        run = Run(
            algorithm=self.algorithm,
            params=params,
            channels=channels,
            seed=int(getattr(self, "seed", 0) or 0),
            reporter=history,
        )
        self.model_ = fit_of(self.algorithm)(run)
        self.metrics_ = dict(history.values)
        self.params_ = run.params.values()

    def _notes(self) -> dict[str, Any]:
        """What `restored` needs beside the model."""
        names = getattr(self, "feature_names_in_", None)
        return {} if names is None else {"feature_names": names.tolist()}

    def _restore(self, model: Model, notes: Mapping[str, Any]) -> None:
        self.model_ = model
        self.metrics_ = {}
        self.params_ = model.params.values()
        self.n_features_in_ = model.width
        if "feature_names" in notes:
            self.feature_names_in_ = np.array(notes["feature_names"], dtype=object)

    def _rows(self, X: Any, *, fitting: bool = False) -> Batch:
        missing = self.algorithm.inference.missing
        return Batch(features_of(self, X, fitting=fitting, missing=missing))

    def _outputs(self, X: Any) -> Outputs:
        check_is_fitted(self)
        batch = self._rows(X)
        with value_errors():
            return self.model_.predict(batch)

    def _hyperparameters(self) -> dict[str, Any]:
        declared = self.algorithm.hyperparameters.declared()
        given = {wire_name(name): value for name, value in self.get_params(deep=False).items()}
        return {name: value for name, value in given.items() if name in declared}

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "model_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.algorithm.inference.missing
        tags.target_tags.required = self.algorithm.learning == "supervised"
        tags.non_deterministic = False
        return tags


class InvalidInput(CallerError, ValueError):
    """Wrong input, as scikit-learn's callers expect to catch it."""


@contextmanager
def value_errors(lonely: bool = False) -> Iterator[None]:
    """Refusals as `InvalidInput`; of a lonely row scikit-learn wants to hear so."""
    try:
        yield
    except CallerError as error:
        one = (Fault("X", "has 1 sample only"),) if lonely else ()
        raise InvalidInput(*error.faults, *one) from None


class _History:
    """Keeps what a training reports."""

    def __init__(self) -> None:
        self.values: dict[str, list[tuple[int | None, float]]] = defaultdict(list)

    def log(self, line: str) -> None:
        return

    def metric(self, name: str, value: float, epoch: int | None) -> None:
        self.values[name].append((epoch, value))


def _constructor(algorithm: Algorithm) -> Any:
    """`__init__` with one keyword argument for each hyperparameter, as scikit-learn wants it."""
    extra = []
    if "seed" not in algorithm.hyperparameters.declared():
        extra = [inspect.Parameter("seed", inspect.Parameter.KEYWORD_ONLY, default=0)]
    known = signature(algorithm, extra)

    def __init__(self: Any, **hyperparameters: Any) -> None:  # noqa: N807
        try:
            bound = known.bind(self, **hyperparameters)
        except TypeError as error:
            raise InvalidInput(*CallerError.of(algorithm.title, str(error)).faults) from None
        bound.apply_defaults()
        for name, value in list(bound.arguments.items())[1:]:
            setattr(self, name, value)

    __init__.__signature__ = known  # type: ignore[attr-defined]
    return __init__
