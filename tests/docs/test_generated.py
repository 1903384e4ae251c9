"""What is generated from the declarations is up to date."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from clary.sdk.stub import stub_text

ROOT = Path(__file__).parents[2]


def test_the_stub_for_editors_is_what_the_declarations_say() -> None:
    stub = ROOT / "src/clary/__init__.pyi"
    assert stub.read_text() == stub_text(), "run: python docs/generate.py"


def test_the_pages_tables_are_what_the_declarations_say() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    stale = [line for line in done.stderr.splitlines() if ".md" in line]
    assert not stale, "run: python docs/generate.py"
