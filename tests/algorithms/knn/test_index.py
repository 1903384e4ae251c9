"""faiss's indexes: as good as faiss itself, the same bytes always, refused where too small."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest
from sklearn.datasets import load_digits

from clary import settings
from clary.algorithms.knn.cells import centers_of
from clary.algorithms.knn.spec import KNNHyperparameters
from clary.codecs.batch import Batch
from clary.errors import CallerError
from tests.algorithms.knn.training import DIGITS, by_hand, running, trained
from tests.algorithms.listening import Listener

IVF = {"index_type": "faiss.IVFFlat"}
PQ = {"index_type": "faiss.IVFPQ", "faiss_index_pq_m": 16}


def many_digits(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Digits with a little noise, and as many others to ask for."""
    draw = np.random.default_rng(0)
    rows = load_digits().data[draw.integers(0, 1797, count + 500)]
    noisy = (rows + draw.normal(scale=1.5, size=rows.shape)).astype(np.float32)
    return noisy[:count], noisy[count:]


def recall(found: np.ndarray, wanted: np.ndarray) -> float:
    """The share of the true neighbors that were found."""
    pairs = zip(found, wanted, strict=True)
    return float(np.mean([len(np.intersect1d(one, other)) / len(other) for one, other in pairs]))


@pytest.mark.parametrize("settings_", [IVF, PQ], ids=["IVFFlat", "IVFPQ"])
def test_recall_is_that_of_faiss_with_the_same_cells(settings_: dict[str, Any]) -> None:
    rows, asked = many_digits(1500)
    model = trained(Batch(rows, np.zeros(len(rows), np.float32)), k=10, **settings_)
    wanted = by_hand(rows, asked, 10)[1]
    quantizer = faiss.IndexFlatL2(64)
    peer = faiss.IndexIVFFlat(quantizer, 64, 38)
    if settings_ is PQ:
        peer = faiss.IndexIVFPQ(quantizer, 64, 38, 16, 8)
    peer.train(rows)
    peer.add(rows)
    peer.nprobe = 5
    ours = recall(model.nearest(Batch(asked), 10)[1], wanted)
    # 5,000 true neighbors: another seed of k-means moves it by a point at most
    assert ours == pytest.approx(recall(peer.search(asked, 10)[1], wanted), abs=0.02)
    assert ours > (0.85 if settings_ is IVF else 0.5)


def test_more_probes_find_more_and_all_cells_find_everything() -> None:
    rows, asked = many_digits(2000)
    wanted = by_hand(rows, asked, 10)[1]
    batch = Batch(rows, np.zeros(len(rows), np.float32))
    found = [
        recall(
            trained(batch, **IVF, _faiss_index_nprobe=probes).nearest(Batch(asked), 10)[1], wanted
        )
        for probes in (1, 5, 10**6)
    ]
    assert found[0] < found[1] < found[2]
    # But for a few that are equally far
    assert found[2] > 0.999


def test_cells_far_from_zero_are_as_good_as_near_it() -> None:
    rows, asked = many_digits(2000)
    label = np.zeros(len(rows), np.float32)
    found = []
    for offset in (0, 2**14):
        moved, sought = (np.round(part * 64) / 64 + np.float32(offset) for part in (rows, asked))
        near = trained(Batch(moved, label), **IVF).nearest(Batch(sought), 10)[1]
        found.append(recall(near, by_hand(moved, sought, 10)[1]))
    assert found[1] > found[0] - 0.02


def test_empty_cells_get_half_of_the_largest() -> None:
    # Two different rows, and four cells to begin with
    rows = np.repeat(np.float32([[0, 0], [9, 9]]), 30, axis=0)
    centers = centers_of(rows, 4, 0, product=False)
    assert centers.shape == (4, 2)
    assert np.isfinite(centers).all()
    distances = np.abs(rows[:, None] - centers).sum(axis=2).min(axis=1)
    assert distances.max() < 0.2


@pytest.mark.parametrize("metric", ["INNER_PRODUCT", "COSINE"])
def test_cells_are_those_of_the_metric(metric: str) -> None:
    rows, asked = many_digits(2000)
    flat = {"index_metric": metric}
    batch = Batch(rows, np.zeros(len(rows), np.float32))
    exact = trained(batch, **flat).nearest(Batch(asked), 10)
    found = trained(batch, **flat, **IVF, _faiss_index_nprobe=10**6).nearest(Batch(asked), 10)
    assert recall(found[1], exact[1]) > 0.999
    assert found[0] == pytest.approx(exact[0], rel=1e-4, abs=1e-5)


def test_the_number_of_cells_is_the_root_of_the_sample_unless_told() -> None:
    assert trained(DIGITS[0], **IVF).searcher.index.nlist == 34
    assert trained(DIGITS[0], **IVF, sample_size=400).searcher.index.nlist == 20
    assert trained(DIGITS[0], **IVF, faiss_index_ivf_nlists=7).searcher.index.nlist == 7


@pytest.mark.parametrize("kind", [IVF, PQ], ids=["IVFFlat", "IVFPQ"])
def test_the_index_is_the_same_whatever_the_threads(kind: dict[str, Any]) -> None:
    found = []
    for threads in (1, 2):
        with settings.threads_set(threads):
            index = trained(DIGITS[0], **kind).searcher.index
            found.append(faiss.serialize_index(index).tobytes())
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", [IVF, PQ], ids=["IVFFlat", "IVFPQ"])
def test_answers_do_not_depend_on_the_rows_of_the_request(kind: dict[str, Any]) -> None:
    model, asked = trained(DIGITS[0], **kind), DIGITS[1].dense()
    together = model.predict(Batch(asked))
    alone = [model.predict(Batch(asked[place : place + 1])) for place in range(len(asked))]
    for name, values in together.items():
        assert np.array_equal(values, np.concatenate([one[name] for one in alone])), name


def test_a_row_has_k_neighbors_even_where_its_cells_hold_fewer() -> None:
    model = trained(DIGITS[0], k=100, **IVF, _faiss_index_nprobe=1)
    distances, places = model.nearest(DIGITS[1], 100)
    assert (places >= 0).all()
    assert np.isfinite(distances).all()
    assert all(len(set(row)) == 100 for row in places.tolist())


def test_rows_are_filled_with_zeros_to_a_multiple_of_the_parts() -> None:
    model = trained(DIGITS[0], **PQ | {"faiss_index_pq_m": 20})
    assert (model.width, model.searcher.width) == (64, 80)
    assert np.mean(model.predict(DIGITS[1])["predicted_label"] == DIGITS[1].label) > 0.9


def test_too_few_rows_for_the_index_are_refused() -> None:
    with pytest.raises(CallerError, match=r"nlists: needs a sampled row for each cell .* and 30 "):
        trained(DIGITS[0].slice(0, 30), **IVF, faiss_index_ivf_nlists=31)
    with pytest.raises(CallerError, match=r"IVFPQ learns 256 codes .* got '255 rows'"):
        trained(DIGITS[0], **PQ, sample_size=255)
    trained(DIGITS[0], **PQ, sample_size=256)
    trained(DIGITS[0].slice(0, 31), **IVF, faiss_index_ivf_nlists=31)


def test_few_rows_a_cell_are_said_in_the_log(capfd: pytest.CaptureFixture[str]) -> None:
    from clary.algorithms.knn.fit import fit

    run = running(DIGITS[0], {**PQ, "sample_size": 300})
    fit(run)
    assert isinstance(run.reporter, Listener)
    assert any("17 cells of 300 rows are placed roughly" in line for line in run.reporter.lines)
    assert "WARNING" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"index_type": "faiss.IVFPQ"}, "faiss_index_pq_m: is required for index_type=faiss.IVFPQ"),
        ({**PQ, "faiss_index_pq_m": 5}, "faiss_index_pq_m: must be one of 1, 2, 3, 4, 8, 12"),
        ({**PQ, "index_metric": "COSINE"}, "index_metric: must be L2 for index_type=faiss.IVFPQ"),
        (
            {"dimension_reduction_type": "sign"},
            "dimension_reduction_target: is required for dimension_reduction_type=sign",
        ),
        (
            {"dimension_reduction_target": 3},
            "dimension_reduction_target: has no effect without dimension_reduction_type",
        ),
    ],
)
def test_hyperparameters_that_do_not_go_together_are_refused(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(CallerError, match=said):
        KNNHyperparameters.parse({"k": 1, "predictor_type": "classifier", **given})
