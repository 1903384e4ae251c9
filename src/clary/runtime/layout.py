"""The tree of the container contract: what is where below /opt/ml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clary.errors import CallerError


@dataclass(frozen=True)
class Layout:
    """The paths below one root, /opt/ml in a container."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "input" / "config"

    @property
    def hyperparameters(self) -> Path:
        return self.config / "hyperparameters.json"

    @property
    def input_data_config(self) -> Path:
        return self.config / "inputdataconfig.json"

    @property
    def resource_config(self) -> Path:
        return self.config / "resourceconfig.json"

    @property
    def data(self) -> Path:
        """Channels: folders `<channel>`, and pipes `<channel>_<epoch>`."""
        return self.root / "input" / "data"

    @property
    def model(self) -> Path:
        """What becomes model.tar.gz."""
        return self.root / "model"

    @property
    def output_data(self) -> Path:
        """What becomes output.tar.gz."""
        return self.root / "output" / "data"

    @property
    def failure(self) -> Path:
        return self.root / "output" / "failure"

    @property
    def checkpoints(self) -> Path:
        """Kept in step with the checkpoint location; there only when the job has one."""
        return self.root / "checkpoints"

    def channel(self, name: str) -> Path:
        return self.data / name

    def make(self) -> None:
        """Make the folders that every training has.

        Raises:
            CallerError: the root cannot be written.
        """
        for folder in (self.config, self.data, self.model, self.output_data):
            try:
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise CallerError.of(
                    str(folder), f"cannot be made: {error.strerror}", remedy="Set CLARY_ML_ROOT."
                ) from error
