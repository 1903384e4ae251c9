"""What every Python estimator does: hyperparameters as keyword arguments, fit, save and load."""

from __future__ import annotations

import inspect
import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from clary.algorithms import declaration, fit_of
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from clary.kit.model import Model, Outputs
from clary.kit.run import Run
from clary.runtime.models import load_model, save_model
from clary.sdk.rows import batch_of, features_of, labels_of
from clary.spec.algorithm import Algorithm
from clary.spec.signature import signature, wire_name
from clary.storage.artifact import pack

# Labels of a classifier other than 0, 1, …; SageMaker's artifacts have no place for them.
_CLASSES = ".classes.json"


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
            cls.__init__ = _constructor(cls.algorithm)  # type: ignore[method-assign]

    def fit(
        self,
        X: Any,
        y: Any = None,
        *,
        sample_weight: Any = None,
        validation: tuple[Any, Any] | Any = None,
    ) -> Self:
        """Train on rows X of shape (rows, width) and, if supervised, labels y of shape (rows,).

        Args:
            X: numpy, scipy sparse, pandas, polars or pyarrow.
            y: labels; any values for classifiers, numbers for regressors.
            sample_weight: one weight a row.
            validation: (X, y) held out for early stopping and selection.

        Raises:
            CallerError: a hyperparameter or the data cannot be used.
            ValueError: X or y are not what scikit-learn takes.
        """
        train = self._batch(X, y, sample_weight, fitting=True)
        channels = {"train": MemoryChannel("train", train)}
        if validation is not None:
            rows, labels = validation if isinstance(validation, tuple) else (validation, None)
            batch = self._batch(rows, labels, None, fitting=False)
            channels["validation"] = MemoryChannel("validation", batch)
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
        return self

    def save(self, path: str | Path) -> None:
        """Write the model: a folder, or one archive where the name ends in `.tar.gz`.

        It is SageMaker's artifact: `clary predict`, `clary serve` and endpoints take it.
        """
        check_is_fitted(self)
        target = Path(path)
        if not target.name.endswith(".tar.gz"):
            self._write(target)
            return
        with TemporaryDirectory() as scratch:
            self._write(Path(scratch) / "model")
            pack(Path(scratch) / "model", target)

    def _write(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_model(self.model_, folder)
        classes = getattr(self, "classes_", None)
        if classes is not None and list(classes) != list(range(len(classes))):
            (folder / _CLASSES).write_text(json.dumps(classes.tolist()))

    def _restore(self, model: Model, classes: list[Any] | None) -> Self:
        """This estimator as if it had been fitted to the model."""
        self.model_ = model
        self.metrics_ = {}
        self.params_ = model.params.values()
        self.n_features_in_ = model.width
        self._restore_classes(classes)
        return self

    def _restore_classes(self, classes: list[Any] | None) -> None:
        """Classifiers settle `classes_` here."""

    def _batch(self, X: Any, y: Any, weights: Any, *, fitting: bool) -> Batch:
        train = self.algorithm.channel("train")
        features = features_of(self, X, fitting=fitting, missing=train.missing)
        if train.label == "none":
            return batch_of(features, None, weights)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None."
            )
        labels = labels_of(y)
        if len(labels) != features.shape[0]:
            raise ValueError(f"X has {features.shape[0]} rows and y has {len(labels)}")
        return batch_of(features, self._numbered(labels, fitting=fitting), weights)

    def _numbered(self, labels: npt.NDArray[Any], *, fitting: bool) -> npt.NDArray[Any]:
        """Labels as the algorithm wants them; classifiers number the classes here."""
        return np.asarray(labels, dtype=np.float32)

    def _outputs(self, X: Any) -> Outputs:
        check_is_fitted(self)
        missing = self.algorithm.inference.missing
        return self.model_.predict(Batch(features_of(self, X, fitting=False, missing=missing)))

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


def estimator_of(path: str | Path, classes: Mapping[str, type[Estimator]]) -> Estimator:
    """The estimator of a saved model; `classes` are the estimator classes by algorithm."""
    source = Path(path)
    model = load_model(source)
    kind = classes[model.algorithm.name]
    declared = model.algorithm.hyperparameters.declared()
    known = {name: value for name, value in model.params.given().items() if name in declared}
    estimator = kind(**{f"{n}_" if n == "lambda" else n: value for n, value in known.items()})
    labels = source / _CLASSES
    named = json.loads(labels.read_text()) if source.is_dir() and labels.exists() else None
    return estimator._restore(model, named)


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
            raise CallerError.of(algorithm.title, str(error)) from None
        bound.apply_defaults()
        for name, value in list(bound.arguments.items())[1:]:
            setattr(self, name, value)

    __init__.__signature__ = known  # type: ignore[attr-defined]
    return __init__
