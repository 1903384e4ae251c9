"""What the store's operations work on, and what is asked of every request."""

from __future__ import annotations

from dataclasses import dataclass

from clary.server.s3.refusals import refusal
from clary.server.s3.requests import Request
from clary.server.s3.store import ObjectStore
from clary.server.s3.uploads import Uploads


@dataclass(frozen=True)
class Site:
    """The one account's objects in the one region."""

    store: ObjectStore
    uploads: Uploads
    account: str
    region: str

    @property
    def owner(self) -> list[tuple[str, str]]:
        return [("ID", self.account.rjust(64, "0")), ("DisplayName", "clary")]

    def check(self, request: Request) -> None:
        """
        Raises:
            Refusal: the client expects another owner, or a version that there is not.
        """
        for name in ("x-amz-expected-bucket-owner", "x-amz-source-expected-bucket-owner"):
            if request.headers.get(name, self.account) != self.account:
                raise refusal("AccessDenied")
        if request.query.get("versionId", "null") not in {"", "null"}:
            raise refusal("NoSuchVersion")
