"""A word to the processor: what will be read soon. It changes no result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from clary.kernels import kernel

_LINE = 16
_FOR_WRITING, _KEPT_LONG, _DATA = 1, 3, 1


@kernel
def prefetch(vector: Any) -> None:
    """Bring all of a float32 vector into the cache while other work goes on.

    Tables are larger than caches, and features come in no order that a processor could foresee.
    """
    for place in range(0, len(vector), _LINE):
        _prefetch_line(vector, place)


@intrinsic  # type: ignore[untyped-decorator]
def _prefetch_line(context: Any, vector: Any, place: Any) -> tuple[Any, Callable[..., Any]]:
    """LLVM's `llvm.prefetch` of one element's cache line."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        pointer = builder.bitcast(builder.gep(array.data, [arguments[1]]), byte)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        told = (number(one) for one in (_FOR_WRITING, _KEPT_LONG, _DATA))
        builder.call(function, [pointer, *told])
        return context.get_dummy_value()

    return types.void(vector, types.intp), code
