"""IP Insights in Python: forms of pairs, vectors, refusals, saving."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from sklearn.base import clone

import clary
from clary import CallerError, IPInsights
from tests.algorithms.ipinsights.training import HELD_OUT, SMALL, TRAIN

FORMS = {
    "tuples": list,
    "lists": lambda pairs: [list(pair) for pair in pairs],
    "numpy": lambda pairs: np.array(pairs),
    "objects": lambda pairs: np.array(pairs, dtype=object),
    "pandas": lambda pairs: pd.DataFrame(pairs, columns=["user", "address"]),
    "polars": lambda pairs: pl.DataFrame(pairs, schema=["user", "address"], orient="row"),
    "arrow": lambda pairs: pa.table({"u": [p[0] for p in pairs], "a": [p[1] for p in pairs]}),
    "addresses": lambda pairs: [(who, ipaddress.ip_address(at)) for who, at in pairs],
}
LEARNED = IPInsights(**SMALL).fit(TRAIN[:2000], validation=HELD_OUT)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_pairs_gives_the_same_scores(form: str) -> None:
    found = IPInsights(**SMALL).fit(FORMS[form](TRAIN[:2000]))
    wanted = LEARNED.score_samples(HELD_OUT)
    assert (found.score_samples(FORMS[form](HELD_OUT)) == wanted).all()
    assert (found.predict(HELD_OUT) == wanted).all()


def test_scores_are_products_of_the_vectors() -> None:
    who, address = zip(*HELD_OUT[:50], strict=True)
    vectors = LEARNED.entity_embeddings(who), LEARNED.ip_embeddings(address)
    assert vectors[0].shape == vectors[1].shape == (50, 16)
    scores = LEARNED.score_samples(HELD_OUT[:50])
    np.testing.assert_allclose(np.einsum("ij,ij->i", *vectors), scores, rtol=1e-4, atol=1e-5)


def test_the_score_on_validation_is_kept() -> None:
    epochs, scores = zip(*LEARNED.metrics_["validation:discriminator_auc"], strict=True)
    assert epochs == (0, 1, 2, 3, 4)
    assert scores[-1] > 0.9


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([("a", "1.2.3.4"), ("b", "999.1.2.3")], r"X, row 1, column 2 \(ip\): must be an IPv4"),
        (
            [("a", "1.2.3.4"), (None, "1.2.3.4")],
            r"X, row 1, column 1 \(entity\): must not be empty",
        ),
        (pd.DataFrame({"u": ["a", np.nan], "a": ["1.2.3.4"] * 2}), "row 1, column 1"),
        ([("a", "1.2.3.4", 1)], r"X, row 0: must have 2 columns \(entity, ip\)"),
        (["a,1.2.3.4"], "X, row 0: must have 2 columns"),
        (pd.DataFrame({"a": ["1.2.3.4"]}), r"X: must have 2 columns \(entity, ip\), got 1"),
        (np.ones((3, 2)), "must be an IPv4 or IPv6 address, got '1.0'"),
        ([("a", "::1")], "must be an IPv4 address, as all are"),
    ],
)
def test_what_is_no_pair_is_refused_as_a_value_error(pairs: Any, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LEARNED.score_samples(pairs)


def test_an_empty_training_is_refused() -> None:
    with pytest.raises(CallerError):
        IPInsights(**SMALL).fit([])


def test_saved_and_loaded_it_is_the_same(tmp_path: Path) -> None:
    LEARNED.save(tmp_path / "model.tar.gz")
    again = clary.load(tmp_path / "model.tar.gz")
    assert isinstance(again, IPInsights)
    assert (again.score_samples(HELD_OUT) == LEARNED.score_samples(HELD_OUT)).all()
    assert clone(LEARNED).get_params() == LEARNED.get_params()
