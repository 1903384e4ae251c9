"""A trained model answers, is scored, kept and shown."""

from __future__ import annotations

import json
import struct
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA

from clary.algorithms.kmeans.fit import fit
from clary.algorithms.kmeans.model import KMeansModel
from clary.codecs import ndarray_list
from clary.codecs.batch import Batch
from clary.data.channel import MemoryChannel
from clary.errors import CallerError
from clary.kit.figures import Bars, Heatmap, Lines, Points
from clary.runtime.charts import chart
from tests.algorithms.kmeans.training import DIGITS, one_hot, running, trained


@pytest.fixture(scope="module")
def model() -> KMeansModel:
    return trained(k=10)


def test_the_answer_is_the_nearest_center_and_its_euclidean_distance(model: KMeansModel) -> None:
    told = model.predict(Batch(DIGITS))
    exact = cdist(DIGITS, model.centers)
    np.testing.assert_array_equal(told["closest_cluster"], exact.argmin(axis=1))
    # Differences are squared and summed in float32
    np.testing.assert_allclose(told["distance_to_cluster"], exact.min(axis=1), rtol=1e-5)
    np.testing.assert_allclose(model.distances(Batch(DIGITS)), exact, rtol=1e-5)


def test_a_row_that_is_a_center_is_at_no_distance(model: KMeansModel) -> None:
    told = model.predict(Batch(model.centers))
    np.testing.assert_array_equal(told["closest_cluster"], np.arange(10))
    # The centers are kept relative to their mean: moving them there and back rounds in float32
    np.testing.assert_allclose(told["distance_to_cluster"], 0, atol=1e-5)


def test_rows_answered_alone_are_answered_as_among_others(model: KMeansModel) -> None:
    together = model.predict(Batch(DIGITS[:5]))
    for place in range(5):
        alone = model.predict(Batch(DIGITS[place : place + 1]))
        for name, values in alone.items():
            assert values[0] == pytest.approx(together[name][place], rel=1e-6)


def test_no_rows_have_no_answers(model: KMeansModel) -> None:
    told = model.predict(Batch(DIGITS[:0]))
    assert [values.shape for values in told.values()] == [(0,), (0,)]
    assert model.distances(Batch(DIGITS[:0])).shape == (0, 10)


def test_rows_of_another_width_are_refused(model: KMeansModel) -> None:
    with pytest.raises(CallerError, match="the model takes 64 a row, got 63"):
        model.predict(Batch(DIGITS[:, :63]))


def test_sparse_rows_may_end_before_the_last_feature() -> None:
    rows = one_hot(DIGITS[:300])
    filled = int(rows.indices.max()) + 1
    model = trained(rows, k=4)
    narrow = Batch(rows[:, :filled])
    np.testing.assert_array_equal(
        model.predict(narrow)["distance_to_cluster"],
        model.predict(Batch(rows))["distance_to_cluster"],
    )


def test_scores_count_the_weights_of_test_rows(model: KMeansModel) -> None:
    weights = np.linspace(0, 3, len(DIGITS), dtype=np.float32)
    loss = float(cdist(DIGITS, model.centers).min(axis=1) ** 2 @ weights)
    found = model.evaluate(MemoryChannel("test", Batch(DIGITS, weights=weights)))
    assert found == {"test:msd": pytest.approx(loss / weights.sum(dtype=np.float64), rel=1e-5)}


def test_the_artifact_is_sagemakers_one_unnamed_array(model: KMeansModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    content = (tmp_path / "model_algo-1").read_bytes()
    # NDArray list: magic, reserved, one array; its version, dense, two dimensions, 10 x 64;
    # on the CPU, float32, the numbers; no names
    assert struct.unpack("<3Q", content[:24]) == (0x112, 0, 1)
    assert struct.unpack("<Ii", content[24:32]) == (0xF993FAC9, 0)
    assert struct.unpack("<I2q", content[32:52]) == (2, 10, 64)
    assert struct.unpack("<3i", content[52:64]) == (1, 0, 0)
    assert content[64:-8] == model.centers.tobytes()
    assert content[-8:] == bytes(8)


def test_a_saved_model_answers_the_same_and_is_saved_to_the_same_bytes(
    model: KMeansModel, tmp_path: Path
) -> None:
    once, twice = tmp_path / "once", tmp_path / "twice"
    once.mkdir(), twice.mkdir()
    model.save(once)
    again = KMeansModel.load(once, model.params.values())
    assert again.params == model.params
    for name, values in model.predict(Batch(DIGITS)).items():
        np.testing.assert_array_equal(again.predict(Batch(DIGITS))[name], values)
    again.save(twice)
    for each in once.iterdir():
        assert (twice / each.name).read_bytes() == each.read_bytes()


def test_a_model_made_elsewhere_is_recognized_and_loads(model: KMeansModel, tmp_path: Path) -> None:
    ndarray_list.write(tmp_path / "model_algo-1", [model.centers])
    assert KMeansModel.recognizes(tmp_path)
    found = KMeansModel.load(tmp_path)
    assert (found.params.k, found.params.feature_dim, found.sizes) == (10, 64, None)
    np.testing.assert_array_equal(found.centers, model.centers)
    assert [type(figure) for figure in found.figures(None)] == [Heatmap]


@pytest.mark.parametrize(
    "arrays",
    [{"v": DIGITS[:2]}, [DIGITS[:2], DIGITS[:2]], [DIGITS[0]], [DIGITS[:2] * np.nan], []],
    ids=["named", "two", "one-dimensional", "nan", "none"],
)
def test_arrays_that_are_no_centers_are_refused(arrays: Any, tmp_path: Path) -> None:
    ndarray_list.write(tmp_path / "model_algo-1", arrays)
    assert not KMeansModel.recognizes(tmp_path)
    with pytest.raises(CallerError, match="one unnamed array of centers"):
        KMeansModel.load(tmp_path)


@pytest.mark.parametrize(
    "text", ["[1, 2]", "nonsense", '["a"]', "[" * 100_000, '{"a": 1}', b"\xff"]
)
def test_damaged_sizes_are_refused(text: str | bytes, model: KMeansModel, tmp_path: Path) -> None:
    model.save(tmp_path)
    path = tmp_path / ".cluster_sizes.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CallerError, match="must hold a list of 10 numbers"):
        KMeansModel.load(tmp_path)


def test_a_folder_without_centers_is_told(tmp_path: Path) -> None:
    assert not KMeansModel.recognizes(tmp_path)
    with pytest.raises(CallerError, match="has no file model_algo-1"):
        KMeansModel.load(tmp_path)


def test_the_summary_tells_sizes_and_centers(model: KMeansModel) -> None:
    told = json.loads(json.dumps(model.summary()))
    counts = np.bincount(model.predict(Batch(DIGITS))["closest_cluster"].astype(int), minlength=10)
    # The counts are those of the last but one iteration's centers
    np.testing.assert_allclose(told["cluster_sizes"], counts, atol=0.01 * len(DIGITS))
    assert sum(told["cluster_sizes"]) == pytest.approx(len(DIGITS))
    np.testing.assert_allclose(told["centers"], model.centers)


def test_figures_show_sizes_distances_rows_and_centers(model: KMeansModel) -> None:
    sizes, distances, rows, centers = model.figures(Batch(DIGITS))
    assert isinstance(sizes, Bars)
    assert sum(sizes.values) == pytest.approx(len(DIGITS))
    assert isinstance(distances, Bars)
    assert sum(distances.values) == len(DIGITS)
    assert isinstance(rows, Points)
    assert set(rows.group) == {str(cluster) for cluster in range(10)}
    assert isinstance(centers, Heatmap)
    assert np.shape(centers.values) == (10, 40)


@pytest.mark.parametrize("count", [40, 900], ids=["wide", "tall"])
def test_rows_are_shown_in_the_plane_of_their_largest_components(
    count: int, model: KMeansModel
) -> None:
    rows = next(f for f in model.figures(Batch(DIGITS[:count])) if isinstance(f, Points))
    exact = PCA(2).fit(DIGITS[:count].astype(np.float64))
    shown = np.column_stack([rows.x, rows.y])
    # Components have no sign of their own
    np.testing.assert_allclose(np.abs(shown), np.abs(exact.transform(DIGITS[:count])), atol=1e-6)
    assert f"{exact.explained_variance_ratio_.sum():.0%}" in rows.caption


def test_the_map_points_out_the_centers_and_says_what_a_row_is(model: KMeansModel) -> None:
    rows = next(f for f in model.figures(Batch(DIGITS[:900])) if isinstance(f, Points))
    exact = PCA(2).fit(DIGITS[:900].astype(np.float64))
    pinned = np.array([[pin.x, pin.y] for pin in rows.pins])
    np.testing.assert_allclose(np.abs(pinned), np.abs(exact.transform(model.centers)), atol=1e-6)
    assert [pin.name for pin in rows.pins] == [f"center of cluster {one}" for one in range(10)]
    told = model.predict(Batch(DIGITS[:900]))
    assert rows.hover[17] == f"row 17, {told['distance_to_cluster'][17]:.4g} from its center"
    page = chart(rows)
    assert page.count('class="pin') == 10
    assert f"· cluster {told['closest_cluster'][17]:.0f} ·" in page.split("row 17,")[1][:60]


def test_of_many_centers_those_of_most_rows_are_on_the_map() -> None:
    rows = next(f for f in trained(k=80).figures(Batch(DIGITS)) if isinstance(f, Points))
    assert len(rows.pins) == 60
    assert "Ringed: centers, without 20 that few of these rows or none are near." in rows.caption


@pytest.mark.parametrize(("rows", "features"), [(1, 1), (2, 1), (1, 3), (2, 3)])
def test_figures_of_few_rows_and_features_do_not_fail(rows: int, features: int) -> None:
    few = np.ascontiguousarray(DIGITS[:, 10 : 10 + features])
    assert len(trained(few, k=2).figures(Batch(few[:rows]))) == 4


def test_the_elbow_falls_over_the_asked_numbers_of_clusters() -> None:
    run = running(DIGITS, {"k": 10}, options={"elbow": "2..12"})
    curve = fit(run).figures(None)[0]
    assert isinstance(curve, Lines)
    ((clusters, found),) = curve.series.values()
    assert list(clusters) == list(range(2, 13))
    # The best of a few trials need not be the best there is
    assert all(later < 1.01 * earlier for earlier, later in pairwise(found))
    assert found[-1] < 0.7 * found[0]
    plain = trained(k=10)
    assert found[8] == pytest.approx(
        float(np.mean(plain.predict(Batch(DIGITS))["distance_to_cluster"] ** 2)), rel=0.05
    )


def test_the_elbow_changes_nothing_of_the_model() -> None:
    with_elbow = fit(running(DIGITS, {"k": 10}, options={"elbow": "2..4"}))
    np.testing.assert_array_equal(with_elbow.centers, trained(k=10).centers)


def test_the_elbow_ends_where_rows_do() -> None:
    curve = fit(running(DIGITS[:6], {"k": 2}, options={"elbow": "4..9"})).figures(None)[0]
    assert isinstance(curve, Lines)
    assert [list(clusters) for clusters, _ in curve.series.values()] == [[4, 5, 6]]


def test_without_rows_enough_there_is_no_elbow() -> None:
    model = fit(running(DIGITS[:6], {"k": 2}, options={"elbow": "7..9"}))
    assert not any(isinstance(figure, Lines) for figure in model.figures(None))


@pytest.mark.parametrize("text", ["", "2", "5..2", "0..3", "2..x", "2-20", "1..99999"])
def test_an_elbow_that_is_no_range_is_refused(text: str) -> None:
    with pytest.raises(CallerError, match=r"elbow: must be a rising range such as 2\.\.20"):
        fit(running(DIGITS, {"k": 2}, options={"elbow": text}))
