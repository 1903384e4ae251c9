"""The grammar of hardware: what an algorithm can run on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Hardware:
    """`None` means that SageMaker's documentation does not say."""

    train_cpu: bool = True
    train_gpu: bool = False
    multi_gpu: bool | None = False
    multi_instance: bool = True
    inference_cpu: bool = True
    inference_gpu: bool = False

    def describe(self) -> dict[str, Any]:
        return asdict(self)
