"""Links between the files of the tree lead somewhere, as they stand and on the site."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "decisions").glob("*.md")),
    *sorted((ROOT / "src/clary/algorithms").glob("*/README.md")),
]
_CODE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    for link in _LINK.findall(_CODE.sub("", page.read_text())):
        target, _, place = link.partition("#")
        if "://" in target:
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        assert not place or place in _places(found), link


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pages = tmp_path / "docs"
    _run(sys.executable, ROOT / "docs" / "generate.py", "--site", pages)
    settings = tmp_path / "mkdocs.yml"
    text = (ROOT / "mkdocs.yml").read_text()
    settings.write_text(text.replace("docs_dir: build/docs", f"docs_dir: {pages}"))
    built = tmp_path / "site"
    _run(sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-f", settings, "-d", built)
    assert (built / "algorithms" / "kmeans" / "index.html").exists()


def _places(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    titles = re.findall(r"^#+ (.*)$", _CODE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
