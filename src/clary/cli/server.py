"""`clary up`, `down`, `status`, `env`: the SageMaker-compatible server."""

from __future__ import annotations

import json
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from clary import settings
from clary.cli.terminal import answer
from clary.errors import CallerError

_DOWN_SECONDS = 30
_NEEDED = {"sqlalchemy": "SQLAlchemy", "cryptography": "cryptography"}
_FORMS = ("sh", "dotenv", "python", "aws-config")

_root = click.option(
    "--root", type=click.Path(path_type=Path), help="The server's folder: ~/.clary, or CLARY_ROOT."
)


@click.command()
@_root
@click.option("--listen", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), help="8042, or a free one if taken.")
def up(root: Path | None, listen: str, port: int | None) -> None:
    """Run the server until SIGTERM or Ctrl-C: the SageMaker API, S3 and the console on one port."""
    _server("up").up(_folder(root), listen, port, _tell)


@click.command()
@_root
def down(root: Path | None) -> None:
    """End the server of a root; unfinished jobs are taken up again by the next one."""
    folder = _folder(root)
    if not _server("root").down(folder, _DOWN_SECONDS):
        raise CallerError.of(f"root {folder}", "has no running server")
    answer("The server has ended.")


@click.command()
@_root
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(root: Path | None, as_json: bool) -> None:
    """Tell whether a server is up, and where."""
    folder = _folder(root)
    if as_json:
        facts = _server("root").running(folder)
        known = {**vars(facts), "url": facts.url} if facts else {}
        answer(json.dumps({"running": facts is not None, **known}))
    else:
        facts = _running(folder)
        answer(f"{facts.url} (process {facts.pid}, root {facts.root})")


@click.command()
@_root
@click.option("--proxy", is_flag=True, help="Lead those hosts here, too, that clients have fixed.")
@click.option(
    "--format", "form", type=click.Choice(_FORMS), default=_FORMS[0], help="The form to print."
)
def env(root: Path | None, proxy: bool, form: str) -> None:
    """Print the environment that leads AWS's clients to the server: eval "$(clary env)"."""
    facts = _running(_folder(root))
    module = _server("environment")
    answer(module.rendered(module.environment(facts, proxy), form))


def _running(folder: Path) -> Any:
    facts = _server("root").running(folder)
    if facts is None:
        raise CallerError.of(f"root {folder}", "has no running server", remedy="Try `clary up`.")
    return facts


def _tell(facts: Any) -> None:
    answer(f"Clary is up at {facts.url}; its files are in {facts.root}")
    answer('In another shell: eval "$(clary env)"')


def _folder(root: Path | None) -> Path:
    return (root or settings.server_root()).absolute()


def _server(module: str) -> Any:
    """A module of the server, whose libraries come with an extra.

    Raises:
        CallerError: the extra is not installed.
    """
    missing = [name for module_name, name in _NEEDED.items() if find_spec(module_name) is None]
    if missing:
        remedy = "Install it with: pip install 'clary[server]'"
        raise CallerError.of("the server", f"needs {', '.join(missing)}", remedy=remedy)
    settings.calm_threads()
    return import_module(f"clary.server.{module}")
