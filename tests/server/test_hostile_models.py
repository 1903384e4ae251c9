"""Archives that would do harm, deployed as models: the endpoint fails, and nothing is written."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from tests.server.endpoints import REGISTRY, Account, Archive, variant
from tests.servers import Server

REFUSALS = {
    "above": "leaves its folder",
    "absolute": "leaves its folder",
    "link": "files and folders only",
    "hard link": "files and folders only",
    "device": "files and folders only",
    "bomb": "would grow to more than",
    "no archive": "gzip",
}


def archive(kind: str, outside: Path) -> bytes:
    """A gzipped archive with a plain file and one harmful member."""
    if kind == "no archive":
        return b"not an archive at all"
    member = tarfile.TarInfo({"above": "../../../escaped", "absolute": str(outside)}.get(kind, "x"))
    types = {"link": tarfile.SYMTYPE, "hard link": tarfile.LNKTYPE, "device": tarfile.BLKTYPE}
    member.type = types.get(kind, tarfile.REGTYPE)
    member.linkname = "/etc/passwd" if "link" in kind else ""
    if kind == "bomb":
        member.size = 1 << 40
        return gzip.compress(member.tobuf(tarfile.GNU_FORMAT) + bytes(10_240))
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as out:
        out.addfile(tarfile.TarInfo("good"))
        out.addfile(member)
    return packed.getvalue()


@pytest.mark.parametrize("kind", REFUSALS)
def test_an_archive_that_would_do_harm_fails_the_endpoint(
    server: Server, tmp_path: Path, kind: str
) -> None:
    account, outside = Account(server, "hostile"), tmp_path / "escaped"
    place = server.bucket / "hostile" / f"{kind.replace(' ', '-')}.tar.gz"
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(archive(kind, outside))
    given = {"Image": f"{REGISTRY}/kmeans:1", "ModelDataUrl": f"s3://data/hostile/{place.name}"}
    config = account.config(variant(account.model(given)))
    name = account.name("endpoint")
    account.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    described = account.settled(name)
    assert described["EndpointStatus"] == "Failed"
    assert REFUSALS[kind] in described["FailureReason"], described["FailureReason"]
    assert not outside.exists()
    assert not list(server.root.rglob("escaped"))
    account.sagemaker.delete_endpoint(EndpointName=name)


def test_a_good_model_is_served_beside_the_bad_ones(server: Server, trees: Archive) -> None:
    account = Account(server, "good")
    name = account.deployed(trees)
    assert account.score(name, trees.csv()) == pytest.approx(trees.score(), rel=1e-6)
    account.clear()
