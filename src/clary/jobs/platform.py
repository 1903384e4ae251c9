"""What operations and jobs work on: the account, its resources, its logs, its stores."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from clary.aws.keys import Keys
from clary.db.metrics import Metrics
from clary.db.resources import Resources
from clary.jobs.engine import Engine
from clary.jobs.logs import Logs
from clary.jobs.serving.fleet import Endpoints
from clary.storage.location import Stores


@dataclass(frozen=True)
class Account:
    """Whose resources these are, and where."""

    id: str
    region: str

    def arn(self, kind: str, name: str) -> str:
        """The ARN of a SageMaker resource: kind `training-job`, `model`, …."""
        return f"arn:aws:sagemaker:{self.region}:{self.id}:{kind}/{name}"


@dataclass(frozen=True)
class Platform:
    """All that an operation may touch.

    root: the server's folder. buckets: the folder of the embedded object store's buckets; None
    where S3 is elsewhere. keys: those that requests are signed with; None where they need not be.
    """

    root: Path
    account: Account
    resources: Resources
    metrics: Metrics
    logs: Logs
    engine: Engine
    buckets: Path | None
    stores: Stores
    endpoints: Endpoints = field(default_factory=Endpoints)
    keys: Keys | None = None

    def folder(self, kind: str, name: str) -> Path:
        """Where a job's or an endpoint's own files are."""
        return self.root / "jobs" / kind / name
