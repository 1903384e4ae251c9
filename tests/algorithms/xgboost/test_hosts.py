"""Several hosts, each a thread with a communicator of its own."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_array

from clary.algorithms.xgboost.fit import fit
from clary.codecs.batch import Batch
from clary.kit.hosts import Hosts
from clary.kit.rendezvous import Rendezvous
from tests.algorithms.xgboost.training import rows, running, trained

NAMES = ("algo-1", "algo-2", "algo-3")
BINARY = {"objective": "binary:logistic", "num_round": 6, "nthread": 1}


def together(params: dict[str, Any], parts: list[tuple[Batch, ...]], **rest: Any) -> list[Any]:
    """(model, listener) of every host; part i are the channels of host i."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    names = NAMES[: len(parts)]

    def host(place: int) -> Any:
        with Hosts(Rendezvous(names[place], names, address)) as cluster:
            run = running(params, *parts[place], cluster=cluster, **rest)
            return fit(run), run.reporter

    with ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(host, range(len(names))))


def spread(batch: Batch, hosts: int) -> list[Batch]:
    """The rows dealt out."""
    assert batch.label is not None
    return [
        Batch(np.ascontiguousarray(batch.features[i::hosts]), batch.label[i::hosts])
        for i in range(hosts)
    ]


def test_two_hosts_agree_with_one_and_with_each_other() -> None:
    train, validation = rows("binary")
    names = "auc,logloss,f1,accuracy"
    params = {**BINARY, "eval_metric": names}
    parts = list(zip(spread(train, 2), spread(validation, 2), strict=True))
    (first, heard), (second, silent) = together(params, parts)
    assert first.boosters[0].save_raw("ubj") == second.boosters[0].save_raw("ubj")
    assert silent.lines == silent.metrics == []
    alone, whole = trained(params, train, validation)
    for name in names.split(","):
        # Fewer rows than bins: only the rounding of the merged sketches tells the trees apart
        assert heard.values(f"validation:{name}") == pytest.approx(
            whole.values(f"validation:{name}"), rel=0.05
        )
    np.testing.assert_allclose(
        first.predict(validation)["score"], alone.predict(validation)["score"], atol=0.2
    )


def test_our_metrics_are_over_the_rows_of_all_hosts() -> None:
    train, validation = rows("regression")
    params = {"num_round": 3, "eval_metric": "mse,r2,rmse", "nthread": 1}
    parts = list(zip(spread(train, 3), spread(validation, 3), strict=True))
    (_, heard), *_ = together(params, parts)
    for mse, rmse in zip(
        heard.values("validation:mse"), heard.values("validation:rmse"), strict=True
    ):
        assert mse == pytest.approx(rmse**2, rel=1e-5)
    spread_of_label = np.var(validation.labels(), dtype=np.float64)
    assert heard.values("validation:r2")[-1] == pytest.approx(
        1 - heard.values("validation:mse")[-1] / spread_of_label, rel=1e-9
    )


@pytest.mark.filterwarnings("ignore:.*Empty dataset at worker")
@pytest.mark.parametrize("idle", [0, 1])
@pytest.mark.parametrize("method", ["hist", "approx"])
def test_a_host_without_rows_takes_part(idle: int, method: str) -> None:
    train, validation = rows("binary")
    parts = [(train, validation)] * 2
    parts[idle] = (train.slice(0, 0), validation.slice(0, 0))
    params = {**BINARY, "tree_method": method, "eval_metric": "auc,f1"}
    told = together(params, parts)
    alone, whole = trained(params, train, validation)
    assert all(m.boosters[0].save_raw("ubj") == alone.boosters[0].save_raw("ubj") for m, _ in told)
    assert told[0][1].values("validation:f1") == whole.values("validation:f1")


def test_sparse_rows_get_one_width_and_classes_one_number() -> None:
    train, _ = rows("digits")
    low = train.labels() < 5
    left = Batch(csr_array(train.features[low][:, :50]), train.labels()[low])
    right = Batch(csr_array(train.features[~low]), train.labels()[~low])
    params = {"objective": "multi:softprob", "num_round": 2, "nthread": 1, "max_depth": 2}
    (first, _), (second, _) = together(params, [(left,), (right,)])
    assert first.width == second.width == 64
    assert first.num_class == second.num_class == 10


def test_hosts_stop_early_at_the_same_round() -> None:
    train, validation = rows("binary")
    params = {**BINARY, "num_round": 100, "early_stopping_rounds": 3, "eval_metric": "error"}
    parts = list(zip(spread(train, 2), spread(validation, 2), strict=True))
    told = together({**params, "eta": 1}, parts)
    rounds = {model.boosters[0].num_boosted_rounds() for model, _ in told}
    assert len(rounds) == 1
    assert rounds.pop() < 90


def test_one_class_a_host_is_enough() -> None:
    train, validation = rows("binary")
    parts = []
    for label in (0, 1):
        own = train.labels() == label
        parts.append((Batch(train.features[own], train.labels()[own]),))
    told = together(BINARY, parts)
    accuracy = np.mean(told[0][0].predict(validation)["predicted_label"] == validation.labels())
    assert accuracy > 0.9
