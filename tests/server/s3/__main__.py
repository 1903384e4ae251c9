"""`python -m tests.server.s3 ROOT PORT`: the object store by itself, as the server runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from clary.runtime.connection import BoundedProtocol
from clary.server.s3_front import S3Front


def main() -> None:
    front = S3Front(Path(sys.argv[1]), "123456789012", "us-east-1")
    front.start()
    uvicorn.run(
        front,
        port=int(sys.argv[2]),
        http=BoundedProtocol,
        lifespan="off",
        log_level="warning",
        access_log=False,
    )


if __name__ == "__main__":
    main()
