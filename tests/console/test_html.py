"""HTML as values."""

from __future__ import annotations

import pytest

from clary.console.html import Html, facts, joined, table, tag

EVIL = "<script>alert('x')</script>&\""
TOLD = "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&amp;&quot;"


@pytest.mark.parametrize(
    "made",
    [
        tag("p", EVIL),
        tag("p", tag("b", EVIL)),
        tag("p", title=EVIL),
        joined([EVIL]),
        table(EVIL, [EVIL], [[EVIL, EVIL]]),
        facts([(EVIL, EVIL)]),
        tag("p", Exception(EVIL)),
    ],
)
def test_what_is_no_html_is_escaped_everywhere(made: Html) -> None:
    assert TOLD in made
    assert "<script" not in made


def test_html_stays_as_it_is() -> None:
    assert tag("p", tag("b", "1"), Html("&amp;"), None, 2) == "<p><b>1</b>&amp;2</p>"


def test_attributes_are_named_as_in_html() -> None:
    made = tag("a", "x", class_="k", data_tip="t", href=None)
    assert made == '<a class="k" data-tip="t">x</a>'


def test_elements_without_content_have_no_end() -> None:
    assert tag("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_facts_without_a_value_are_left_out() -> None:
    assert facts([("a", None), ("b", ""), ("c", 0)]).count("<dt>") == 1
