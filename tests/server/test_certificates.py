"""The root's authority, and the certificates in its name, by a client that checks them."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from clary.server.certificates import FOLDER, Certificates

HOST = "sts.us-east-1.amazonaws.com"


def shaken(certificates: Certificates, host: str, name: str, trusted: Path) -> None:
    """A handshake in memory: the server is `host`, the client wants `name`."""
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.create_default_context(cafile=str(trusted)).wrap_bio(
        to_client, to_server, server_hostname=name
    )
    server = certificates.context(host).wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue


def test_a_client_that_trusts_the_bundle_accepts_an_aws_host(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    for host in (HOST, f"{'b' * 63}.s3.ap-southeast-2.amazonaws.com"):
        shaken(certificates, host, host, certificates.bundle)


def test_the_name_must_be_that_of_the_host(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shaken(certificates, HOST, "iam.amazonaws.com", certificates.bundle)


def test_the_authority_vouches_for_no_other_domain(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree"):
        shaken(certificates, "example.org", "example.org", certificates.bundle)


def test_the_authority_is_made_once(tmp_path: Path) -> None:
    first = Certificates(tmp_path)
    kept = first.bundle.read_bytes()
    again = Certificates(tmp_path)
    assert again.bundle.read_bytes() == kept
    shaken(again, HOST, HOST, first.bundle)
    assert again.context(HOST) is again.context(HOST)


def test_a_root_does_not_trust_another_ones_authority(tmp_path: Path) -> None:
    roots = tmp_path / "a", tmp_path / "b"
    for root in roots:
        root.mkdir()
    one, other = (Certificates(root) for root in roots)
    with pytest.raises(ssl.SSLCertVerificationError):
        shaken(one, HOST, HOST, other.bundle)


def test_a_damaged_authority_is_made_anew(tmp_path: Path) -> None:
    Certificates(tmp_path)
    (tmp_path / FOLDER / "authority.key").write_text("damaged")
    certificates = Certificates(tmp_path)
    shaken(certificates, HOST, HOST, certificates.bundle)


def test_only_the_owner_reads_the_key(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    certificates.context(HOST)
    folder = tmp_path / FOLDER
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "authority.key").stat().st_mode & 0o777 == 0o600
    names = {path.name for path in folder.iterdir()}
    assert names == {"authority.key", "authority.pem", "bundle.pem"}


def test_clients_go_on_trusting_what_they_trusted(tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    other.write_text("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n")
    certificates = Certificates(tmp_path, [tmp_path / "missing.pem", other])
    text = certificates.bundle.read_text()
    assert text.startswith(other.read_text())
    assert text.count("BEGIN CERTIFICATE") == 2
