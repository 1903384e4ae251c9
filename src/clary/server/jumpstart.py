"""What JumpStart's bucket has to hold so that the SageMaker SDK finds its models here.

The SDK reads `models_manifest.json` and a specification for each model id from the bucket
`jumpstart-cache-prod-<region>`.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from clary.control.jumpstart_models import (
    BUCKET,
    OLDEST_SDK,
    SERVING,
    TRAINING,
    VERSION,
    artifact_key,
    published,
    script_key,
    specification,
    specification_key,
)
from clary.spec.algorithm import Algorithm
from clary.spec.jumpstart import JumpStartModel
from clary.storage.folder import whole_file

_MANIFEST, _PROPRIETARY = "models_manifest.json", "proprietary-sdk-manifest.json"
# The SDK reads the first entry of the list of proprietary models without asking whether there is
# one; what only later SDKs could read it does not show
_NOTHING = {"model_id": "none", "version": "0", "min_version": "999", "spec_key": "none"}


def write_manifest(buckets: Path, region: str) -> list[str]:
    """Put the manifest and what it names into the region's bucket; the model ids.

    Files whose content is there already are let be; each is written whole. What other files are in
    the bucket stays.
    """
    folder = buckets / f"{BUCKET}{region}"
    found = published()
    for algorithm, model in found:
        for key, content in _objects(algorithm, model, region):
            _write(folder / key, content)
    _write(folder / _PROPRIETARY, _json([_NOTHING]))
    # Last, so that nothing is named that is not there
    _write(folder / _MANIFEST, _json([_header(model) for _, model in found]))
    return [model.id for _, model in found]


def _header(model: JumpStartModel) -> dict[str, Any]:
    return {
        "model_id": model.id,
        "version": VERSION,
        "min_version": OLDEST_SDK,
        "spec_key": specification_key(model),
        "search_keywords": model.title.split(),
    }


def _objects(
    algorithm: Algorithm, model: JumpStartModel, region: str
) -> Iterator[tuple[str, bytes]]:
    yield specification_key(model), _json(specification(algorithm, model, region))
    for key, script in (
        (script_key(model, TRAINING), f"{TRAINING}.py"),
        (script_key(model, SERVING), f"{SERVING}.py"),
    ):
        yield key, _archive({script: b"# Clary runs the algorithm itself; this is never read\n"})
    for purpose in ("train", "infer"):
        yield artifact_key(model, purpose), _archive({})


def _archive(files: dict[str, bytes]) -> bytes:
    """A tar.gz whose bytes depend on its files alone."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(packed.getvalue(), mtime=0)


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1).encode() + b"\n"


def _write(path: Path, content: bytes) -> None:
    if path.exists() and path.read_bytes() == content:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as out:
        out.write(content)
