"""The report is one page that a browser reads without a network."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from clary.algorithms import declaration
from clary.kit.figures import Bars, Heatmap, Lines, Points, Table
from clary.runtime.charts import chart
from clary.runtime.prices import DOLLARS_AN_HOUR, on_sagemaker
from clary.runtime.report import ChannelFacts, Report
from clary.runtime.report_page import render

ALGORITHM = declaration("kmeans")
FIGURES = (
    Lines("Elbow", "k", "msd", {"msd": ([2.0, 3.0, 4.0], [9.0, 5.0, 4.0])}),
    Bars("Sizes", ["a", "b"], [3.0, 5.0], "cluster", "rows"),
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
    assert tiles[0] == ("32.25", "test:msd")
    assert tiles[1] == ("35.5", "train:msd")


def test_hyperparameters_say_whether_they_were_given_inferred_auto_or_default() -> None:
    page = render(report())
    origins = dict(re.findall(r"<code>(\w+)</code></td><td>.*?</td><td>([\w ]+)</td>", page))
    assert origins["k"] == "given"
    assert origins["feature_dim"] == "from the data"
    assert origins["extra_center_factor"] == "auto"
    assert origins["epochs"] == "default"


def test_a_metric_with_several_epochs_is_a_curve() -> None:
    page = render(report())
    assert "<figcaption>msd</figcaption>" in page
    assert "<figcaption>progress</figcaption>" not in page


def test_what_is_not_known_on_the_page_is_left_out() -> None:
    page = render(replace(report(), figures=()))
    assert "<h2>Quality</h2>" not in page
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


def test_the_estimate_for_sagemaker_is_waiting_time_at_list_price() -> None:
    there = on_sagemaker(60, "ml.m5.large", hosts=2)
    assert there.waited_seconds == 300
    assert there.dollars == pytest.approx(300 / 3600 * DOLLARS_AN_HOUR["ml.m5.large"] * 2)
    assert on_sagemaker(60, None, 1).instance_type == "ml.m5.xlarge"
