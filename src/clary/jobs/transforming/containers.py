"""The containers of a batch transform's model, answering in this process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from clary import settings
from clary.errors import CallerError, PayloadTooLarge
from clary.kit.model import Model
from clary.runtime.endpoint import execution_parameters
from clary.runtime.models import load_model
from clary.runtime.negotiate import BODY, answer, warm
from clary.settings import Serving


@dataclass(frozen=True)
class Container:
    """A model, and what its environment says."""

    model: Model
    serving: Serving

    def answer(
        self, body: bytes, content_type: str | None, accept: str | None
    ) -> tuple[bytes, str]:
        """What /invocations would answer, and its content type.

        Raises:
            CallerError: it would refuse.
        """
        limit = self.serving.max_payload_bytes
        if len(body) > limit:
            raise PayloadTooLarge.of(BODY, f"must be at most {limit:,} bytes", len(body))
        if not body and self.model.algorithm.inference.empty_status == 204:
            return b"", ""
        return answer(self.model, body, content_type, accept, self.serving)


@dataclass(frozen=True)
class Pipeline:
    """One container or several, each of which is given what the one before it answered."""

    containers: Sequence[Container]

    def answer(self, body: bytes, content_type: str | None, accept: str | None) -> bytes:
        """
        Raises:
            CallerError: a container refuses.
        """
        for number, one in enumerate(self.containers, start=1):
            is_last = number == len(self.containers)
            try:
                body, content_type = one.answer(body, content_type, accept if is_last else None)
            except CallerError as error:
                if len(self.containers) == 1:
                    raise
                raise CallerError.of(f"container-{number}", str(error)) from None
        return body

    @property
    def parameters(self) -> Mapping[str, object]:
        """What the first container says at /execution-parameters."""
        return execution_parameters(self.containers[0].serving)


def loaded_container(
    model: Path, algorithm: str | None, environment: Mapping[str, str]
) -> Container:
    """A container that is ready to answer.

    Raises:
        CallerError: the model cannot be read, or the environment is wrong.
    """
    with settings.variables_set(environment):
        serving = settings.serving()
        container = Container(load_model(model, algorithm), serving)
        warm(container.model, serving)
    return container
