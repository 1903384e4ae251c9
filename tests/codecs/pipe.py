"""A stream that cannot go back."""

from __future__ import annotations

import io
from typing import Any


class Pipe(io.RawIOBase):
    """Gives its bytes a few at a time, as pipes do."""

    def __init__(self, data: bytes) -> None:
        self._source = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self._source.readinto(memoryview(buffer)[:777])
