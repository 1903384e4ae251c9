"""The access keys that requests are signed with: the server's own pair, and temporary ones.

A temporary key's secret follows from the server's secret and the session token, and the token says
until when it holds: nothing has to be stored, and a restart ends no session.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from clary.aws.errors import NotVerified, Wrong

_PREFIX = "ASIA"
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"


@dataclass(frozen=True)
class Temporary:
    """Keys that end. expiration: seconds of the epoch."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expiration: int


@dataclass(frozen=True)
class Keys:
    """The pair whose holder may do everything."""

    access_key: str
    secret_key: str = field(repr=False)

    def secret_of(self, access_key: str, token: str | None, now: float) -> str:
        """The secret that belongs to an access key.

        Raises:
            NotVerified: the key or the token is unknown, or the token has expired.
        """
        if token is None and access_key == self.access_key:
            return self.secret_key
        if token is None or not access_key.startswith(_PREFIX):
            raise NotVerified(Wrong.KEY)
        claim = self._claim(token)
        if claim.get("key") != access_key:
            raise NotVerified(Wrong.TOKEN)
        if now >= claim["until"]:
            raise NotVerified(Wrong.TOKEN_EXPIRED)
        return self._secret(token)

    def temporary(self, seconds: int, now: float) -> Temporary:
        """Keys for so long."""
        access_key = _PREFIX + "".join(secrets.choice(_LETTERS) for _ in range(16))
        until = int(now) + seconds
        claim = json.dumps({"key": access_key, "until": until}).encode()
        body = base64.urlsafe_b64encode(claim).decode()
        token = f"{body}.{self._seal('token', body)}"
        return Temporary(access_key, self._secret(token), token, until)

    def _claim(self, token: str) -> dict[str, Any]:
        body, _, seal = token.partition(".")
        if not hmac.compare_digest(seal.encode(), self._seal("token", body).encode()):
            raise NotVerified(Wrong.TOKEN)
        claim: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body))
        return claim

    def _secret(self, token: str) -> str:
        return self._seal("secret", token)

    def _seal(self, purpose: str, text: str) -> str:
        told = f"clary {purpose} {text}".encode()
        digest = hmac.digest(self.secret_key.encode(), told, hashlib.sha256)
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")
