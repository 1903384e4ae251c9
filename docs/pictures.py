"""Makes the README's pictures anew, from real runs: `make pictures`. Needs Chromium.

`docs/images/terminal.svg` is what a terminal shows, `docs/images/report.png` a report page.
"""

from __future__ import annotations

import os
import pty
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text
from sklearn.datasets import load_breast_cancer

IMAGES = Path(__file__).parent / "images"
_COLUMNS, _ROWS = 120, 60
_COMMANDS = (
    "clary train linear-learner --train train.csv --validation validation.csv \\\n"
    "    -p predictor_type=binary_classifier --output model",
    "clary predict model rows.csv --accept application/jsonlines",
)
_SIZE = "1200,1310"
_MOVE = re.compile(r"\x1b\[(\d*)([AK])|\x1b\[\?25[lh]")
_WEB_FONT = re.compile(r"@font-face \{\{.*?\}\}", re.DOTALL)


def main() -> None:
    """Run the commands in an empty folder and take both pictures."""
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        _data(folder)
        shown = [(command, _run(command, folder)) for command in _COMMANDS]
        _terminal(shown, IMAGES / "terminal.svg")
        _report(folder / "model" / "report.html", IMAGES / "report.png")


def _data(folder: Path) -> None:
    rows, benign = load_breast_cancer(return_X_y=True)
    table = np.column_stack([1 - benign, rows])[np.random.default_rng(0).permutation(len(rows))]
    np.savetxt(folder / "train.csv", table[:400], fmt="%g", delimiter=",")
    np.savetxt(folder / "validation.csv", table[400:], fmt="%g", delimiter=",")
    np.savetxt(folder / "rows.csv", table[400:403, 1:], fmt="%g", delimiter=",")


def _run(command: str, folder: Path) -> str:
    """What the command writes to a terminal, with its colors."""
    terminal, other_end = pty.openpty()
    process = subprocess.Popen(
        [Path(sys.executable).parent / "clary", *shlex.split(command.replace("\\\n", " "))[1:]],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=other_end,
        stderr=other_end,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": f"{_COLUMNS}", "LINES": f"{_ROWS}"},
    )
    os.close(other_end)
    written = b""
    while chunk := _read(terminal):
        written += chunk
    if process.wait():
        sys.exit(written.decode())
    return _last_state(written.decode())


def _read(terminal: int) -> bytes:
    """The next bytes; none when the other end is closed, which Linux tells by an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


def _last_state(written: str) -> str:
    """The lines as they stand in the end: a progress bar moves up and erases to draw itself."""
    lines, row = [""], 0
    for piece in re.split(r"(\r\n|\r|\n|\x1b\[\d*[AK]|\x1b\[\?25[lh])", written):
        move = _MOVE.fullmatch(piece)
        if piece in {"\r\n", "\n"}:
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif move and move[2] == "A":
            row = max(0, row - int(move[1] or 1))
        elif piece == "\r" or move:
            lines[row] = "" if piece == "\r" or move[2] == "K" else lines[row]
        else:
            lines[row] += piece
    return "\n".join(lines).rstrip()


def _terminal(shown: list[tuple[str, str]], target: Path) -> None:
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=_COLUMNS, file=nowhere, color_system="truecolor")
        for command, written in shown:
            console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
            console.print(Text.from_ansi(written))
            console.print()
        form = _WEB_FONT.sub("", CONSOLE_SVG_FORMAT)
        console.save_svg(str(target), title="clary", code_format=form)


def _report(page: Path, target: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        sys.exit("the picture of the report needs Chromium")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser,
                *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
                f"--user-data-dir={profile}",
                f"--window-size={_SIZE}",
                f"--screenshot={target}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )


if __name__ == "__main__":
    main()
