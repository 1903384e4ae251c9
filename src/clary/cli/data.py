"""Data named on the command line, as a channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from clary.data.contents import Contents
from clary.data.files import FolderChannel
from clary.data.sources import Source
from clary.data.staging import stage
from clary.spec.channels import ChannelSpec


@contextmanager
def opened(
    path: str, spec: ChannelSpec, content_type: str | None, width: int | None = None
) -> Iterator[FolderChannel]:
    """The rows of a file, a folder or an s3:// prefix, while the block lasts.

    Raises:
        CallerError: there is nothing, or it is not what the channel takes.
    """
    with TemporaryDirectory(prefix="clary-") as scratch:
        folder = Path(scratch)
        source = Source(spec.name, path, content_type=content_type)
        with stage(source, folder):
            yield FolderChannel(spec.name, folder / spec.name, Contents(spec, content_type, width))
