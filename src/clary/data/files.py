"""File and FastFile: a channel that reads the files of a folder."""

from __future__ import annotations

import io
import stat
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from clary import settings
from clary.codecs.batch import Batch
from clary.data.contents import HEAD_BYTES, Contents, Decoder
from clary.data.feeder import raise_failure
from clary.data.intake import DecodedChannel
from clary.data.shards import shuffled
from clary.data.sources import is_data
from clary.data.streams import BUFFER_BYTES, PeekedStream, is_empty
from clary.errors import CallerError
from clary.storage.folder import FolderStore
from clary.storage.store import StoredObject


class FolderChannel(DecodedChannel):
    """The rows of a folder's files, in the order of their names, sub-folders of any depth included.

    Names that start with `.` or `_` and files of no bytes hold no data. An epoch's decoded blocks
    stay in memory for the later ones where they fit.
    """

    def __init__(
        self, name: str, folder: Path, contents: Contents, shuffle_seed: int | None = None
    ) -> None:
        """With a seed, the files come in another order each epoch.

        Raises:
            CallerError: there are no data, or not of the declared type.
        """
        super().__init__(name)
        self._folder = folder
        self._seed = shuffle_seed
        self._room = settings.memory_bytes()
        self._kept: dict[str, list[Batch]] | None = None
        self._through_pipes: dict[str, int] = {}
        self._files, self._left_out = self._listed()
        self.decoder = Decoder(name, contents, *self._head())
        if self.decoder.lacks_width:
            self.decoder.settle_width(self._widest())

    def amount(self) -> tuple[int | None, int, tuple[str, ...]]:
        size = sum(file.size for file in self._files) + sum(self._through_pipes.values())
        return len(self._files), size, self._left_out

    def decoded(self, epoch: int) -> Generator[Batch, None, None]:
        files = shuffled(self._files, self._seed, epoch, lambda file: file.key)
        if self._kept is not None:
            for file in files:
                yield from self._kept[file.key]
        else:
            yield from self._read(files)

    def _listed(self) -> tuple[list[StoredObject], tuple[str, ...]]:
        """The files with data, and the names of the others."""
        thing = f"channel {self.name}"
        if not self._folder.is_dir():
            raise CallerError.of(thing, "there is no folder for it", str(self._folder))
        found = FolderStore(self._folder).objects()
        if not found:
            raise CallerError.of(
                thing,
                "there are no files",
                str(self._folder),
                "With ShardedByS3Key, have as many objects as hosts at least.",
            )
        files = [file for file in found if is_data(file.key) and (file.size or self._is_pipe(file))]
        keys = {file.key for file in files}
        left_out = tuple(file.key for file in found if file.key not in keys)
        if not files:
            rule = "there are no rows: its files are empty, or their names begin with . or _"
            raise CallerError.of(thing, rule, ", ".join(left_out))
        return files, left_out

    def _head(self) -> tuple[bytes, str]:
        """The first bytes that there are, and the name of their file."""
        for file in self._files:
            with self._stream(file) as stream:
                head = stream.read(HEAD_BYTES)
            if not is_empty(head):
                return head, file.key
        raise CallerError.of(f"channel {self.name}", "its files must not be empty")

    def _widest(self) -> int:
        return max((block.width for file in self._files for block in self._blocks(file)), default=1)

    def _read(self, files: list[StoredObject]) -> Iterator[Batch]:
        """The files' blocks; kept if all of them have room."""
        kept: dict[str, list[Batch]] = {file.key: [] for file in files}
        room = self._room
        for file in files:
            for block in self._blocks(file):
                room -= block.nbytes
                if room >= 0:
                    kept[file.key].append(block)
                else:
                    kept.clear()
                    self._room = 0
                yield block
        self._kept = kept or None

    def _blocks(self, file: StoredObject) -> Iterator[Batch]:
        with self._stream(file) as stream:
            if file.size or cast(io.BufferedReader, stream).peek(1):
                yield from self.decoder.blocks(stream, file.key)

    @contextmanager
    def _stream(self, file: StoredObject) -> Iterator[BinaryIO]:
        if file.size:
            with FolderStore(self._folder).open(file.key) as stream:
                yield stream
            return
        source = io.FileIO(self._folder / file.key)
        peeked = PeekedStream(source, lambda: raise_failure(self._folder.parent, self.name))
        with io.BufferedReader(peeked, BUFFER_BYTES) as stream:
            yield stream
        self._through_pipes[file.key] = peeked.bytes_read

    def _is_pipe(self, file: StoredObject) -> bool:
        return stat.S_ISFIFO((self._folder / file.key).stat().st_mode)
