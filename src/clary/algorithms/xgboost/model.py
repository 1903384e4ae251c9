"""A trained XGBoost model, or several whose predictions are averaged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import xgboost

from clary import settings
from clary.algorithms.xgboost import labels, objectives
from clary.algorithms.xgboost.artifact import holds_boosters, read_boosters, write_boosters
from clary.algorithms.xgboost.engine import complaints
from clary.algorithms.xgboost.evaluation import evaluated, margins_of
from clary.algorithms.xgboost.matrices import Rows, engine_features
from clary.algorithms.xgboost.metrics import classes
from clary.algorithms.xgboost.pictures import importance_bars, pictures
from clary.algorithms.xgboost.spec import ALGORITHM, XGBoostHyperparameters
from clary.codecs.batch import Batch, Floats
from clary.data.channel import Channel
from clary.errors import CallerError
from clary.kit.figures import Figure
from clary.kit.model import Model, Outputs, check_width
from clary.spec.algorithm import Algorithm

_BATCH_ROWS = 1 << 16


class XGBoostModel(Model):
    """One booster, or one for each fold of a cross-validation, all of one objective and width.

    With several, predictions are averaged; classes of multi:softmax and binary:hinge are voted.
    """

    algorithm: ClassVar[Algorithm] = ALGORITHM
    params: XGBoostHyperparameters

    def __init__(self, boosters: Sequence[xgboost.Booster], params: XGBoostHyperparameters) -> None:
        """Raises:
        CallerError: the boosters are not of one objective and width.
        """
        self.boosters = list(boosters)
        self.params = params
        configs = [json.loads(booster.save_config())["learner"] for booster in boosters]
        self._config = configs[0]
        for booster, config in zip(boosters, configs, strict=True):
            booster.set_param("nthread", settings.threads())
            theirs = config["objective"]["name"], booster.num_features()
            if theirs != (self.objective, self.width):
                raise CallerError.of("model files", "must have one objective and width", theirs)

    @property
    def objective(self) -> str:
        return str(self._config["objective"]["name"])

    @property
    def booster(self) -> str:
        """gbtree, dart or gblinear."""
        return str(self._config["gradient_booster"]["name"])

    @property
    def num_class(self) -> int | None:
        """Number of classes of multi:* objectives."""
        return int(self._config["learner_model_param"]["num_class"]) or None

    @property
    def width(self) -> int:
        return int(self.boosters[0].num_features())

    def first(self) -> XGBoostModel:
        """The first of the boosters alone."""
        return XGBoostModel(self.boosters[:1], self.params)

    def predict(self, batch: Batch) -> Outputs:
        score = self._score(batch)
        if objectives.kind(self.objective) not in {"binary", "multiclass"}:
            return {"score": score}
        return {"score": score, "predicted_label": classes(self.objective, score)}

    def evaluate(self, channel: Channel) -> dict[str, float]:
        margins, told = [], []
        for batch in channel.batches(_BATCH_ROWS):
            margins.append(self._margins(batch))
            told.append(replace(batch, features=np.zeros((batch.rows, 1), dtype=np.float32)))
        if not told:
            raise CallerError.of(f"channel {channel.name}", "holds no rows")
        rows = Rows(channel.name, told, 1)
        labels.check(rows, self.objective, self.num_class)
        params = self.params.having(objective=self.objective, num_class=self.num_class)
        with complaints():
            scores = evaluated(params, np.concatenate(margins), rows, settings.threads())
        return {f"validation:{name}": value for name, value in scores.items()}

    def save(self, folder: Path) -> None:
        write_boosters(self.boosters, folder)

    @classmethod
    def load(cls, folder: Path, params: Mapping[str, Any] | None = None) -> Self:
        boosters = read_boosters(folder)
        if params is not None:
            return cls(boosters, XGBoostHyperparameters.parse(params))
        rounds = max(1, boosters[0].num_boosted_rounds())
        model = cls(boosters, XGBoostHyperparameters.parse({"num_round": rounds}))
        told = {"objective": model.objective, "num_class": model.num_class}
        model.params = model.params.having(**told, booster=model.booster)
        return model

    @classmethod
    def recognizes(cls, folder: Path) -> bool:
        return holds_boosters(folder)

    def summary(self) -> dict[str, Any]:
        """Importances are the first booster's: of gain, weight (number of splits) and cover."""
        first = self.boosters[0]
        found: dict[str, Any] = {
            "objective": self.objective,
            "booster": self.booster,
            "features": self.width,
            "models": len(self.boosters),
            "rounds": first.num_boosted_rounds(),
            "base_score": json.loads(self._config["learner_model_param"]["base_score"]),
        }
        if self.num_class:
            found["num_class"] = self.num_class
        for name in ("best_iteration", "best_score"):
            if (value := first.attr(name)) is not None:
                found[name] = json.loads(value)
        if self.booster == "gblinear":
            return found | {"coefficients": first.get_score(importance_type="weight")}
        return found | {"importances": self.importances()}

    def importances(self) -> dict[str, dict[str, float]]:
        """Of each feature that is split on, by kind of importance, the greatest first."""
        first = self.boosters[0]
        return {
            kind: dict(
                sorted(first.get_score(importance_type=kind).items(), key=lambda one: -one[1])
            )
            for kind in ("gain", "weight", "cover")
        }

    def figures(self, held_out: Batch | None) -> list[Figure]:
        found: list[Figure] = []
        if self.booster != "gblinear":
            found.append(importance_bars(self.importances()["gain"]))
        if held_out is not None and held_out.label is not None and held_out.label.ndim == 1:
            found += pictures(self.objective, held_out.label, self._score(held_out))
        return found

    def _score(self, batch: Batch) -> Floats:
        scores = [self._predicted(booster, batch, "value") for booster in self.boosters]
        if len(scores) == 1:
            return scores[0]
        if self.objective in {"multi:softmax", "binary:hinge"}:
            votes = np.stack(scores).astype(np.int64)
            counts = (votes[..., None] == np.arange(votes.max() + 1)).sum(axis=0)
            return np.asarray(counts.argmax(axis=1), dtype=np.float32)
        return np.asarray(np.mean(scores, axis=0, dtype=np.float32))

    def _margins(self, batch: Batch) -> Floats:
        if len(self.boosters) == 1:
            return self._predicted(self.boosters[0], batch, "margin")
        return margins_of(self.objective, self.num_class, self._score(batch))

    def _predicted(self, booster: xgboost.Booster, batch: Batch, kind: str) -> Floats:
        check_width(self, batch)
        features = engine_features(batch, self.width)
        predicted: Floats
        with complaints():
            if self.booster == "gbtree":
                predicted = booster.inplace_predict(features, predict_type=kind)
            else:
                # In place, dart adds its trees up in another order and gblinear does not predict
                matrix = xgboost.DMatrix(features)
                predicted = booster.predict(matrix, output_margin=kind == "margin")
        return predicted
