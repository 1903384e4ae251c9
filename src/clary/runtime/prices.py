"""What the same training would have cost, and how long one would have waited, on SageMaker."""

from __future__ import annotations

from dataclasses import dataclass

PRICES_AS_OF = "2024"
PRICES_REGION = "us-east-1"
# On-demand list prices of training instances, US dollars an hour.
DOLLARS_AN_HOUR = {
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
    "ml.m5.4xlarge": 0.922,
    "ml.m5.12xlarge": 2.765,
    "ml.m5.24xlarge": 5.53,
    "ml.c5.large": 0.102,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c5.4xlarge": 0.816,
    "ml.c5.9xlarge": 1.836,
    "ml.g4dn.xlarge": 0.736,
    "ml.p3.2xlarge": 3.825,
}
USUAL_INSTANCE = "ml.m5.xlarge"

# Logs that AWS published show 283 to 324 s from the start of a job to Completed for 12 to 82 s of
# work: about 4 minutes go to getting the instance and the image, and are waited for.
STARTUP_SECONDS = 240


@dataclass(frozen=True)
class Elsewhere:
    """The estimate: instances are taken to be as fast as this machine."""

    instance_type: str
    waited_seconds: float
    dollars: float


def on_sagemaker(seconds: float, instance_type: str | None, hosts: int) -> Elsewhere:
    """What `seconds` of work would have meant there; an unknown type counts as the usual one."""
    known = instance_type if instance_type in DOLLARS_AN_HOUR else USUAL_INSTANCE
    waited = seconds + STARTUP_SECONDS
    return Elsewhere(known, waited, waited / 3600 * DOLLARS_AN_HOUR[known] * hosts)
