"""Options and arguments that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from clary.errors import CallerError


class _Folder(click.Path):
    """A folder on this machine, there or not."""

    def __init__(self) -> None:
        super().__init__(file_okay=False, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if str(value).startswith("s3:/"):
            self.fail(f"must be a folder on this machine, got {str(value)!r}", param, ctx)
        return super().convert(value, param, ctx)


FOLDER = _Folder()

as_json = click.option(
    "--json", "as_json", is_flag=True, help="One JSON object on the last line of standard output."
)
algorithm = click.argument("algorithm")
model = click.argument("model", type=click.Path(path_type=Path))
content_type = click.option("--content-type", metavar="TYPE", help="Content type of the data.")


def pairs(option: str, given: tuple[str, ...]) -> dict[str, Any]:
    """`NAME=VALUE` options as a dictionary.

    Raises:
        CallerError: one has no `=`, or a name comes twice.
    """
    found: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise CallerError.of(option, "must have the form NAME=VALUE", text)
        if name in found:
            raise CallerError.of(f"{option} {name}", "was given twice", text)
        found[name] = value
    return found
