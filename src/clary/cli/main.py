"""The `clary` command: the table of its subcommands, and how errors end."""

from __future__ import annotations

import difflib
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

import click

from clary import __version__
from clary.errors import CallerError

# A command's module is loaded when it is called: `clary --help` must not wait for numpy.
COMMANDS = {
    "algorithms": ("clary.cli.catalogue:algorithms", "List the algorithms."),
    "describe": (
        "clary.cli.catalogue:describe",
        "Show an algorithm's hyperparameters, channels, metrics and formats.",
    ),
    "train": ("clary.cli.training:train", "Train an algorithm on files, folders or s3:// data."),
    "predict": ("clary.cli.inference:predict", "Write what an endpoint would answer to a file."),
    "evaluate": ("clary.cli.inference:evaluate", "Score a model on data."),
    "inspect": ("clary.cli.inference:inspect", "Show what is inside a model."),
    "check": ("clary.cli.survey:check", "Look at data before training: what it is, what is wrong."),
    "convert": ("clary.cli.conversion:convert", "Rewrite data in another format."),
    "score-stream": (
        "clary.cli.stream:score_stream",
        "Score the records of a stream with a model that learns from them.",
    ),
    "transform": ("clary.cli.transform:transform", "Write a model's answers to many files."),
    "serve": ("clary.cli.inference:serve", "Serve a model over HTTP."),
    "up": ("clary.cli.server:up", "Run the SageMaker-compatible server."),
    "down": ("clary.cli.server:down", "End the server."),
    "env": ("clary.cli.server:env", "Print the environment that leads AWS's clients to it."),
    "status": ("clary.cli.server:status", "Tell whether the server is up, and where."),
    "checks": ("clary.cli.catalogue:checks", "Put to an algorithm what each must answer."),
}


class _Commands(click.Group):
    """Subcommands by the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and near:
            ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.command(cls=_Commands)
@click.version_option(__version__, message="clary %(version)s")
def app() -> None:
    """Amazon SageMaker's built-in algorithms, on any machine."""


def main() -> None:
    """Entry point."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run a command to its exit code: 0 done, 1 the user can fix it, 2 our fault."""
    try:
        # `clary train kmeans --help` wants to know what else was written
        given = list(arguments) or ["--help"]
        app(args=given, obj=tuple(given), prog_name="clary", standalone_mode=False)
    except CallerError as error:
        return _refused(str(error))
    except click.UsageError as error:
        command = error.ctx.command_path if error.ctx else "clary"
        return _refused(f"{error.format_message()} `{command} --help` shows how.")
    except click.ClickException as error:
        return _refused(error.format_message())
    except (click.Abort, KeyboardInterrupt):
        return _refused("stopped")
    except BrokenPipeError:
        return 0
    except Exception as error:
        if _no_room(error):
            return _refused("no temporary folder can be written: free some space or set TMPDIR")
        traceback.print_exc()
        click.echo("clary: this is a fault of Clary, not of yours; please report it", err=True)
        return 2
    return 0


def _no_room(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError) and "No usable temporary" in str(error)


def _refused(message: str) -> int:
    for line in message.splitlines():
        click.echo(f"clary: {line}", err=True)
    return 1
