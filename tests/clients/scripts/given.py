"""What the tests hand to a script, data, a bucket, a role; and formats that scripts write."""

from __future__ import annotations

import io
import tarfile
import uuid
from pathlib import Path
from urllib.parse import urlparse

import numpy as np

BUCKET = "notebooks"
ROLE = "arn:aws:iam::123456789012:role/service-role/AmazonSageMaker-ExecutionRole"


def arrays(name):
    """The arrays of a data set: train, train_label, test, test_label, and reference figures."""
    return np.load(Path(f"{name}.npz"))


def unique(name):
    return f"{name}-{uuid.uuid4().hex[:8]}"


def csv(label, rows):
    """Rows as the built-in algorithms want CSV: no header, the label first."""
    text = io.StringIO()
    np.savetxt(text, np.column_stack([label, rows]), delimiter=",", fmt="%g")
    return text.getvalue().encode()


def libsvm(label, rows):
    """Rows as libsvm: zeros left out, features counted from 1."""
    lines = [
        f"{y:g} " + " ".join(f"{place + 1}:{x:g}" for place, x in enumerate(row) if x)
        for y, row in zip(label, rows, strict=True)
    ]
    return "\n".join(lines).encode()


def key_of(uri):
    """Bucket and key of an S3 URI."""
    parts = urlparse(uri)
    return parts.netloc, parts.path.lstrip("/")


def files_of(archive):
    """The names in a gzipped archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        return opened.getnames()
