"""The report is one page that a browser reads without a network."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from clary.algorithms import declaration
from clary.kit.figures import Bars, Heatmap, Lines, Pin, Points, Table
from clary.runtime.charts import chart
from clary.runtime.prices import DOLLARS_AN_HOUR, on_sagemaker
from clary.runtime.report import ChannelFacts, Report
from clary.runtime.report_page import render
from clary.runtime.scales import duration, scale, tick_labels

ALGORITHM = declaration("kmeans")
FIGURES = (
    Lines("Elbow", "k", "msd", {"msd": ([2.0, 3.0, 4.0], [9.0, 5.0, 4.0])}),
    Bars("Sizes", ["a", "b"], [3.0, 5.0], "cluster", "rows"),
    Bars("Spread", ["0", "1"], [3.0, 5.0], "residual", "rows", edges=[0.0, 1.0, 2.0]),
    Bars("Importances", ["long name of a feature", "b"], [3.0, 5.0], "gain", horizontal=True),
    Heatmap("Confusion", ["0", "1"], ["0", "1"], [[5.0, 1.0], [0.0, 7.0]]),
    Points("Map", "x", "y", [0.0, 1.0], [1.0, 0.0], ["left", "right"], ["row 1", "row 2"]),
    Table("Terms", ["name", "weight"], [["x < y", "0.5"]]),
)


def report() -> Report:
    params = ALGORITHM.hyperparameters.parse({"k": "10"}).having(
        feature_dim=784, extra_center_factor=6, local_lloyd_num_trials=10
    )
    return Report(
        algorithm=ALGORITHM,
        given={"k": "10"},
        settled=params.values(),
        channels={"train": ChannelFacts(60000, 784, 188_160_000, 1, "text/csv", "File", "a.csv")},
        history={
            "train:msd": [(0, 40.0), (1, 35.5)],
            "test:msd": [(None, 32.25)],
            "train:progress": [(None, 100.0)],
        },
        figures=FIGURES,
        summary={"centers": [[0.5, 0.25]]},
        seconds={"total": 36.0, "read": 6.0, "train": 29.0, "write": 1.0},
        started=datetime(2024, 5, 17, 12, 30, tzinfo=UTC),
    )


class _Tags(HTMLParser):
    """Which elements are open, and whether each is closed in turn."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_element_is_closed() -> None:
    tags = _Tags()
    tags.feed(render(report()).removeprefix("<!doctype html>"))
    assert tags.open == []


def test_nothing_is_fetched() -> None:
    assert not re.search(r"(src|href)=|url\(|@import|https?://", render(report()))


def test_scores_on_held_out_data_come_first() -> None:
    tiles = re.findall(r"class='tile'><b>(.*?)</b><span>(.*?)</span>", render(report()))
    assert tiles[0] == ("32.25", "msd")
    assert "Scores on test:" in render(report())
    assert tiles[1] == ("36.0 s", "training time")


def test_a_table_tells_every_score_by_channel() -> None:
    page = render(report())
    assert "<th>metric</th><th>train</th><th>test</th><th>better when</th>" in page
    assert "<td>msd</td><td>35.5</td><td>32.25</td><td>smaller</td>" in page


def test_hyperparameters_say_whether_they_were_given_inferred_auto_or_default() -> None:
    page = render(report())
    row = r"<code>(\w+)</code></td><td class='value'>.*?</td><td>([\w ]+)</td>"
    origins = dict(re.findall(row, page))
    assert origins["k"] == "given"
    assert origins["feature_dim"] == "from the data"
    assert origins["extra_center_factor"] == "auto"
    assert origins["epochs"] == "default"


def test_a_metric_with_several_epochs_is_a_curve() -> None:
    page = render(report())
    assert "<figcaption>train:msd</figcaption>" in page
    assert "<figcaption>progress</figcaption>" not in page


def test_a_curve_of_one_channel_names_it_and_counts_passes_in_the_algorithm_s_word() -> None:
    history = {"validation:rmse": [(0, 5.0), (1, 4.0)]}
    page = render(replace(report(), algorithm=declaration("xgboost"), history=history))
    assert "<figcaption>validation:rmse</figcaption>" in page
    assert ">round</text>" in page


def test_curves_of_one_epoch_are_left_out() -> None:
    single = Lines("Models tried", "epoch", "loss", {"model 0": ([0.0], [1.0])})
    page = render(replace(report(), curves=[single]))
    assert "Models tried" not in page


def test_files_that_a_pipe_does_not_tell_are_a_dash() -> None:
    facts = ChannelFacts(10, 2, 99, 0, "text/csv", "Pipe", "a.csv")
    assert "<td>–</td>" in render(replace(report(), channels={"train": facts}))


def test_curves_that_fall_steeply_are_drawn_over_logarithms() -> None:
    steep = render(replace(report(), history={"train:msd": [(0, 5000.0), (1, 5.0), (2, 4.0)]}))
    assert re.search(r'class="tick end"[^>]*>10</text>', steep)


def test_the_time_split_fills_its_bar() -> None:
    shares = re.findall(r"style='flex:([\d.]+)'", render(report()))
    assert sum(map(float, shares)) == pytest.approx(100, abs=0.5)


def test_long_arrays_of_the_summary_are_shortened() -> None:
    page = render(replace(report(), summary={"mean": [0.123456789] * 10_000}))
    assert "0.123457" in page
    assert "10,000 in all" in page
    assert len(page) < 60_000


def test_what_is_not_known_on_the_page_is_left_out() -> None:
    page = render(replace(report(), figures=(), history={}, summary={}))
    assert "<h2>Quality</h2>" not in page
    assert "<h2>Model</h2>" not in page
    assert "<h2>Learning curves</h2>" not in page
    assert "<h2>Data</h2>" in page


def test_text_of_users_is_escaped() -> None:
    hostile = "<script>alert(1)</script>"
    facts = ChannelFacts(1, 1, 1, 1, "text/csv", "File", hostile)
    page = render(replace(report(), channels={"train": facts}, summary={hostile: hostile}))
    assert hostile not in page


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.title)
def test_every_kind_of_figure_is_drawn(figure: object) -> None:
    drawn = chart(figure)  # type: ignore[arg-type]
    assert drawn.startswith(("<svg", "<div"))
    assert "nan" not in drawn


def test_figures_of_odd_numbers_are_drawn() -> None:
    empty = Lines("Empty", "x", "y", {"none": ([], [])})
    flat = Lines("Flat", "x", "y", {"same": ([1.0, 1.0], [float("nan"), 5.0])}, log_y=True)
    zero = Bars("Zero", ["a"], [0.0])
    lonely = Points("One", "x", "y", [float("nan")], [0.0])
    for figure in (empty, flat, zero, lonely):
        assert "nan" not in chart(figure).lower().replace("nan, 0", "")


def test_large_numbers_on_axes_are_told_in_one_unit() -> None:
    assert tick_labels([0, 5e5, 1e6]) == ["0", "500k", "1,000k"]
    assert tick_labels([0, 1e7, 2e7]) == ["0", "10M", "20M"]
    assert tick_labels([0.85, 0.9]) == ["0.85", "0.9"]


def test_axes_of_counted_things_have_whole_ticks() -> None:
    assert scale([0, 1, 2], 0, 100, margin=0).ticks() == [0, 1, 2]
    assert scale([0, 1, 2.5], 0, 100, margin=0).ticks() == [0, 0.5, 1, 1.5, 2, 2.5]


def test_axes_end_on_round_numbers() -> None:
    axis = scale([0.13, 0.87], 0, 100)
    assert (axis.low, axis.high) == (0.0, pytest.approx(1.0))


def test_times_are_told_in_fitting_units() -> None:
    told = [duration(seconds) for seconds in (0.3456, 12.34, 240, 246.2, 7500)]
    assert told == ["0.35 s", "12.3 s", "4 min", "4 min 6 s", "2 h 5 min"]


def test_the_series_that_matters_is_drawn_over_the_others() -> None:
    series = {"model 1": ([0.0, 1.0], [1.0, 0.5]), "model 2": ([0.0, 1.0], [2.0, 0.9])}
    drawn = chart(Lines("Models", "epoch", "loss", series, emphasis="model 1"))
    assert drawn.index("squiet") < drawn.index("line s0")
    assert "others" in drawn


def test_a_matrix_of_many_classes_leaves_empty_cells_out() -> None:
    names = [str(one) for one in range(40)]
    counts = [[float(row == column) for column in range(40)] for row in range(40)]
    drawn = chart(Heatmap("Confusion", names, names, counts, by_row=True))
    assert drawn.count("<rect") == 40


def test_the_colors_of_a_confusion_matrix_are_shares_of_its_rows() -> None:
    drawn = chart(Heatmap("Confusion", ["0", "1"], ["0", "1"], [[90, 10], [0, 2]], by_row=True))
    assert "90.0%" in drawn
    assert "100.0%" in drawn


def test_groups_of_points_are_in_the_order_of_their_numbers() -> None:
    drawn = chart(Points("Map", "x", "y", [0.0] * 3, [1.0, 2.0, 3.0], ["10", "2", "1"]))
    assert re.findall(r"</i>(\d+)</span>", drawn) == ["1", "2", "10"]


def test_ranges_and_negative_numbers_are_in_order_too() -> None:
    names = ["4.5 to 9", "none", "-3", "10 to 12", "-1.5"]
    drawn = chart(Points("Map", "x", "y", [0.0] * 5, [1.0] * 5, names))
    found = re.findall(r"</i>([^<]+)</span>", drawn)
    assert found == ["-3", "-1.5", "4.5 to 9", "10 to 12", "none"]


def test_a_large_cloud_is_as_wide_as_the_page_and_draws_the_asked_number_of_points() -> None:
    numbers = [float(one) for one in range(4000)]
    cloud = Points("Map", "x", "y", numbers, numbers, most=2000, large=True)
    page = render(replace(report(), figures=[cloud]))
    assert "<figure class='wide'><figcaption>Map" in page
    assert page.count('class="dot') == 2000


def test_pins_are_drawn_over_the_points_in_the_color_of_their_group() -> None:
    pins = [Pin(9.0, 0.5, "center of b", "b"), Pin(0.0, 0.0, "elsewhere")]
    cloud = Points("Map", "x", "y", [0.0, 1.0], [1.0, 0.0], ["a", "b"], ["row 1", "row 2"])
    drawn = chart(replace(cloud, pins=pins, grouped_by="kind"))
    assert drawn.index('class="pin c1"') > drawn.rindex('class="dot')
    assert 'class="pin cquiet"' in drawn
    assert 'data-tip="center of b · 9, 0.5"' in drawn
    assert 'data-tip="row 2 · kind b · 1, 0"' in drawn
    # The axis reaches to the pin at 9
    assert ">8</text>" in drawn


def test_a_hundred_groups_have_no_legend() -> None:
    numbers = [float(one) for one in range(100)]
    drawn = chart(Points("Map", "x", "y", numbers, numbers, [str(one) for one in range(100)]))
    assert "legend" not in drawn


def test_the_estimate_for_sagemaker_is_waiting_time_at_list_price() -> None:
    there = on_sagemaker(60, "ml.m5.large", hosts=2)
    assert there.waited_seconds == 300
    assert there.dollars == pytest.approx(300 / 3600 * DOLLARS_AN_HOUR["ml.m5.large"] * 2)
    assert on_sagemaker(60, None, 1).instance_type == "ml.m5.xlarge"
