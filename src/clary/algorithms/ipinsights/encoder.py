"""The network from an address to its vector.

Each octet of an address has a vector of its own at its place; they and a bias of the family are
added. That is the address as it goes into the first fully connected layer, one input for each value
of each octet, so that the layer is a sum and no product. What comes out is rectified, and goes on
through further layers of weights, each rectified. Without layers the sum itself is the vector.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from clary.algorithms.ipinsights import kernels
from clary.codecs.addresses import Addresses

Floats: TypeAlias = npt.NDArray[np.float32]

_FAMILIES = 2
_SPREAD = 0.03


@dataclass
class Encoder:
    """All parameters as rows of one length, so that gradients and moments have the same form.

    parameters: (rows, dim): octets of IPv4, biases, then for each further layer its weights and
        biases, then octets of IPv6, which are only there where the data have such addresses.
    layers: fully connected ones.
    """

    parameters: Floats
    layers: int

    @classmethod
    def drawn(cls, dim: int, layers: int, rng: np.random.Generator) -> Encoder:
        """A new encoder, for IPv4."""
        further = max(0, layers - 1)
        four = kernels.IPV4_ROWS
        encoder = cls(np.zeros((four + _FAMILIES + further * (dim + 1), dim), np.float32), layers)
        encoder.four[:] = rng.normal(0, _SPREAD, (four, dim))
        for layer in range(further):
            weights, _ = encoder.layer(layer)
            weights[:] = rng.normal(0, np.sqrt(2 / dim), (dim, dim))
        return encoder

    @property
    def dim(self) -> int:
        return int(self.parameters.shape[1])

    @property
    def takes_six(self) -> bool:
        """Whether it knows IPv6 addresses."""
        return len(self.six) > 0

    @property
    def four(self) -> Floats:
        """(1024, dim): octets of IPv4."""
        return self.parameters[: kernels.IPV4_ROWS]

    @property
    def bias(self) -> Floats:
        """(2, dim): of IPv4 and IPv6."""
        return self.parameters[kernels.IPV4_ROWS :][:_FAMILIES]

    @property
    def six(self) -> Floats:
        """(4096, dim) or (0, dim): octets of IPv6."""
        start = kernels.IPV4_ROWS + _FAMILIES + max(0, self.layers - 1) * (self.dim + 1)
        return self.parameters[start:]

    def layer(self, number: int) -> tuple[Floats, Floats]:
        """Weights (dim, dim) and biases (dim,) of a layer after the first, counted from 0."""
        start = kernels.IPV4_ROWS + _FAMILIES + number * (self.dim + 1)
        rows = self.parameters[start : start + self.dim + 1]
        return rows[:-1], rows[-1]

    def like(self, parameters: Floats) -> Encoder:
        """Gradients in the form of an encoder."""
        return Encoder(parameters, self.layers)

    def vectors(self, addresses: Addresses) -> Floats:
        """(addresses, dim)."""
        return self.passed(addresses)[-1]

    def passed(self, addresses: Addresses) -> list[Floats]:
        """What comes out of each layer, (addresses, dim), the last one's being the vectors."""
        first = np.empty((len(addresses.family), self.dim), np.float32)
        kernels.embed(*_parts(addresses), self.four, self.six, self.bias, self.layers > 0, first)
        outs = [first]
        for number in range(self.layers - 1):
            weights, bias = self.layer(number)
            with np.errstate(over="ignore", invalid="ignore"):
                out = outs[-1] @ weights.T
                out += bias
            outs.append(np.maximum(out, 0, out=out))
        return outs

    def returned(
        self, addresses: Addresses, outs: list[Floats], slopes: Floats, gradient: Encoder
    ) -> None:
        """Add the loss's gradient to that of the parameters.

        outs: of `passed`. slopes: the gradient by the last layer's sums, before it rectified.
        """
        for number in reversed(range(self.layers - 1)):
            weights, bias = gradient.layer(number)
            with np.errstate(over="ignore", invalid="ignore"):
                weights += slopes.T @ outs[number]
                bias += slopes.sum(axis=0)
                slopes = slopes @ self.layer(number)[0]
            slopes *= outs[number] > 0
        kernels.scatter(*_parts(addresses), slopes, gradient.four, gradient.six, gradient.bias)


def octets_of_six(dim: int, rng: np.random.Generator) -> Floats:
    """(4096, dim): new rows for an encoder that meets IPv6."""
    return rng.normal(0, _SPREAD / 2, (kernels.IPV6_ROWS, dim)).astype(np.float32)


def _parts(addresses: Addresses) -> tuple[Any, Any, Any]:
    return addresses.family, addresses.high, addresses.low
