"""HTML as values: whatever is no HTML yet is escaped where it is put in."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

_VOID = frozenset({"link", "meta", "br"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def tag(element: str, /, *children: object, **attributes: object) -> Html:
    """An element. `class_` is the attribute class, `data_tip` is data-tip; None leaves one out."""
    given = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    begin = f"<{element}{given}>"
    return Html(begin if element in _VOID else f"{begin}{joined(children)}</{element}>")


def joined(parts: Iterable[object]) -> Html:
    """One after the other; None is nothing."""
    return Html(
        "".join(
            part if isinstance(part, Html) else escape(str(part))
            for part in parts
            if part is not None
        )
    )


def table(caption: str, head: Iterable[object], rows: Iterable[Iterable[object]]) -> Html:
    """A table whose rows begin with what they are about."""
    body = [_row(*row) for row in rows]
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    inside = tag("caption", caption), tag("thead", top), tag("tbody", *body)
    return tag("div", tag("table", *inside), class_="scroll", tabindex="0")


def _row(first: object, *others: object) -> Html:
    return tag("tr", tag("th", first, scope="row"), *(tag("td", one) for one in others))


def facts(pairs: Iterable[tuple[str, object]]) -> Html:
    """Names and values; those without a value are left out."""
    rows = [
        tag("div", tag("dt", name), tag("dd", value))
        for name, value in pairs
        if value is not None and value != ""
    ]
    return tag("dl", *rows)


def section(title: str, *children: object) -> Html:
    return tag("section", tag("h2", title), tag("div", *children, class_="body"))
