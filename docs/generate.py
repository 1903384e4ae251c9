"""Fills the generated parts of the documentation and lays the site out.

In the tree: the tables in the algorithms' READMEs and on the pages of images and serving, between
`<!-- generated: NAME -->` and `<!-- end -->`, and the stub that editors read. In `build/docs`: the
pages of the site, with links as they are there.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from compatibility import is_of_this_model, missing_table, model_version, operation_tables
from image_tables import account_table, model_table, repository_table
from references import command_reference, performance, python_reference
from serving_tables import answer_table, request_table

from clary.algorithms import CATALOGUE, declaration
from clary.sdk.stub import stub_text
from clary.spec import render
from clary.spec.algorithm import Algorithm

ROOT = Path(__file__).parent.parent
_TABLES = {
    "hyperparameters": render.hyperparameter_table,
    "channels": render.channel_table,
    "metrics": render.metric_table,
    "tuning": render.tuning_table,
    "answers": render.answer_table,
}
_IMAGE_TABLES = {
    "repositories": repository_table,
    "models": model_table,
    "accounts": account_table,
}
_SERVING_TABLES = {"requests": request_table, "answers": answer_table}
_COMPATIBILITY = ROOT / "docs" / "compatibility.md"
_SERVER_TABLES = {
    "model": model_version,
    "operations": operation_tables,
    "missing": missing_table,
}
_MARKED = re.compile(r"(<!-- generated: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)
_CODE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s#]+)(#[^)\s]*)?\)")


def main() -> None:
    """Write what is stale and the site; or only name what is stale; or only write the site."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--check", action="store_true", help="only name what is stale, and exit 1")
    asked.add_argument("--site", type=Path, metavar="FOLDER", help="only lay the site out there")
    arguments = asked.parse_args()
    if arguments.site:
        return _write_site(arguments.site)
    stale = {path: text for path, text in _in_the_tree() if _current(path) != text}
    if arguments.check and not is_of_this_model(_COMPATIBILITY.read_text()):
        stale.pop(_COMPATIBILITY, None)
    if arguments.check:
        sys.exit("".join(f"stale: {path.relative_to(ROOT)}\n" for path in stale) or 0)
    for path, text in stale.items():
        path.write_text(text)
    return _write_site(ROOT / "build" / "docs")


def filled(text: str, tables: Mapping[str, Callable[[], str]]) -> str:
    """A page with its generated tables."""
    return _MARKED.sub(lambda m: f"{m[1]}{tables[m[2]]()}\n{m[3]}", text)


def relinked(text: str, source: Path, page: str, pages: Mapping[Path, str]) -> str:
    """The text of a file with its links as they are on the site.

    Files that are no page keep their words and lose their link.
    """

    def moved(link: re.Match[str]) -> str:
        image, words, target, place = link[1], link[2], link[3], link[4] or ""
        if "://" in target or target.startswith("mailto:"):
            return link[0]
        found = pages.get((source.parent / target).resolve())
        if found is None:
            return link[0] if image else words
        return f"{image}[{words}]({os.path.relpath(found, Path(page).parent)}{place})"

    parts = _CODE.split(text)
    parts[::2] = [_LINK.sub(moved, part) for part in parts[::2]]
    return "".join(parts)


def _in_the_tree() -> Iterator[tuple[Path, str]]:
    yield ROOT / "src/clary/__init__.pyi", stub_text()
    for name in CATALOGUE:
        readme = _readme(name)
        yield readme, filled(readme.read_text(), _tables_of(declaration(name)))
    images = ROOT / "docs" / "image-uris.md"
    yield images, filled(images.read_text(), _IMAGE_TABLES)
    serving = ROOT / "docs" / "serving.md"
    yield serving, filled(serving.read_text(), _SERVING_TABLES)
    yield _COMPATIBILITY, filled(_COMPATIBILITY.read_text(), _SERVER_TABLES)


def _tables_of(algorithm: Algorithm) -> dict[str, Callable[[], str]]:
    return {name: partial(written, algorithm) for name, written in _TABLES.items()}


def _write_site(output: Path) -> None:
    shutil.rmtree(output, ignore_errors=True)
    shutil.copytree(ROOT / "docs" / "images", output / "images")
    shutil.copy(ROOT / "docs" / "site.css", output)
    files = _sources()
    pages = {source.resolve(): page for page, source in files.items()}
    pages |= {image.resolve(): f"images/{image.name}" for image in _images()}
    texts = {
        page: relinked(source.read_text(), source, page, pages) for page, source in files.items()
    }
    texts |= {
        "cli.md": command_reference(),
        "python.md": python_reference(),
        "performance.md": performance(ROOT / "benchmarks" / "results"),
    }
    for page, text in texts.items():
        (output / page).parent.mkdir(parents=True, exist_ok=True)
        (output / page).write_text(text)


def _sources() -> dict[str, Path]:
    """The file in the tree behind each page of the site."""
    return {
        "index.md": ROOT / "README.md",
        "contributing.md": ROOT / "CONTRIBUTING.md",
        "changelog.md": ROOT / "CHANGELOG.md",
        **{path.name: path for path in sorted((ROOT / "docs").glob("*.md"))},
        **{f"algorithms/{name}.md": _readme(name) for name in CATALOGUE},
        **{f"decisions/{path.name}": path for path in sorted((ROOT / "decisions").glob("*.md"))},
    }


def _images() -> list[Path]:
    return sorted((ROOT / "docs" / "images").iterdir())


def _readme(name: str) -> Path:
    return ROOT / "src/clary/algorithms" / name.replace("-", "_") / "README.md"


def _current(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


if __name__ == "__main__":
    main()
