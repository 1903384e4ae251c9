"""Certificates for the AWS hosts that are redirected: an authority for the root, made once."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from clary.storage.folder import whole_file

FOLDER = "certificates"
AUTHORITY, BUNDLE = "authority.pem", "bundle.pem"
_KEY = "authority.key"
# The authority vouches for nothing else, so that its key is of little use to a thief
_DOMAIN = "amazonaws.com"
_AUTHORITY_DAYS, _LEAF_DAYS = 3650, 30
_RENEWED_DAYS = 30


@dataclass(frozen=True)
class _Pair:
    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey


class Certificates:
    """The authority of a root, and TLS for hosts in its name. Safe from several threads."""

    def __init__(self, root: Path, trusted: Iterable[Path] = ()) -> None:
        """trusted: certificates that clients go on trusting; the first file that exists counts."""
        self._folder = root / FOLDER
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._authority = self._kept() or self._made()
        self._contexts: dict[str, tuple[datetime, ssl.SSLContext]] = {}
        self._lock = threading.Lock()
        self._write_bundle(trusted)

    @property
    def bundle(self) -> Path:
        """What clients shall trust: all that they trusted, and the authority."""
        return self._folder / BUNDLE

    def context(self, host: str) -> ssl.SSLContext:
        """TLS as a server of that name."""
        now = datetime.now(UTC)
        with self._lock:
            made, context = self._contexts.get(host, (None, None))
            if context is None or made is None or now - made > timedelta(days=_LEAF_DAYS // 2):
                context = self._leaf_context(host)
                self._contexts[host] = (now, context)
            return context

    def _kept(self) -> _Pair | None:
        try:
            key = load_pem_private_key((self._folder / _KEY).read_bytes(), None)
            certificate = x509.load_pem_x509_certificate((self._folder / AUTHORITY).read_bytes())
        except (OSError, ValueError):
            return None
        ends = certificate.not_valid_after_utc - timedelta(days=_RENEWED_DAYS)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or ends < datetime.now(UTC):
            return None
        return _Pair(certificate, key) if certificate.public_key() == key.public_key() else None

    def _made(self) -> _Pair:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(f"Clary on this machine ({os.urandom(4).hex()})")
        domain = x509.NameConstraints([x509.DNSName(_DOMAIN)], None)
        usage = _usage(key_cert_sign=True, crl_sign=True)
        certificate = (
            _builder(name, name, key, _AUTHORITY_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(domain, critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            .sign(key, hashes.SHA256())
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(self._folder / _KEY, secret, 0o600)
        _write(self._folder / AUTHORITY, certificate.public_bytes(Encoding.PEM), 0o644)
        return _Pair(certificate, key)

    def _leaf_context(self, host: str) -> ssl.SSLContext:
        authority = self._authority
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, public = authority.certificate, authority.key.public_key()
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
        server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        # A common name takes 64 characters at most; the names of hosts are in the extension
        certificate = (
            _builder(_name("Clary"), issuer.subject, key, _LEAF_DAYS)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(server, critical=False)
            .add_extension(identifier, critical=False)
            .sign(authority.key, hashes.SHA256())
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_alpn_protocols(["http/1.1"])
        self._load(context, certificate, key)
        return context

    def _load(
        self,
        context: ssl.SSLContext,
        certificate: x509.Certificate,
        key: ec.EllipticCurvePrivateKey,
    ) -> None:
        """Python's TLS takes certificates from files only."""
        path = self._folder / f"leaf-{os.getpid()}-{threading.get_ident()}.pem"
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write(path, secret + certificate.public_bytes(Encoding.PEM), 0o600)
        try:
            context.load_cert_chain(path)
        finally:
            path.unlink(missing_ok=True)

    def _write_bundle(self, trusted: Iterable[Path]) -> None:
        others = next((path.read_bytes() for path in trusted if path.is_file()), b"")
        own = self._authority.certificate.public_bytes(Encoding.PEM)
        _write(self.bundle, others.rstrip() + b"\n" + own, 0o644)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    # Clocks of clients may be a little behind
    begins = datetime.now(UTC) - timedelta(days=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days + 1))
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _usage(**allowed: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: allowed.get(name, False) for name in names})


def _write(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than the mode says."""
    before = os.umask(0o777 & ~mode)
    try:
        with whole_file(path) as out:
            out.write(content)
    finally:
        os.umask(before)
