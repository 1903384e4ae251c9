"""The certificates that AWS's clients trust unless they are told otherwise."""

from __future__ import annotations

import ssl
from pathlib import Path

import botocore


def usual_certificates() -> list[Path]:
    """Files of certificates, the likeliest first; not all of them need exist."""
    system = ssl.get_default_verify_paths().cafile
    return [Path(botocore.__file__).parent / "cacert.pem", *([Path(system)] if system else [])]
