"""Maximum and minimum as single vector instructions.

Written as a comparison, "keep the larger" becomes a masked store in a loop over an array, which costs some
processors a factor of three (AMD Zen: ``vmaskmovpd``); LLVM's own operations become ``vmaxpd`` and ``vminpd``.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.extending import intrinsic


def _operation(name: str) -> Callable[[float, float], float]:
    def typed(_context: Any, left: Any, right: Any) -> Any:  # numba reads the number of arguments
        def lower(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            real = ir.DoubleType()
            function = builder.module.declare_intrinsic(name, [real], ir.FunctionType(real, [real, real]))
            return builder.call(function, arguments, fastmath=("nnan", "nsz"))

        return types.float64(types.float64, types.float64), lower

    operation: Callable[[float, float], float] = intrinsic(typed)
    return operation


larger = _operation("llvm.maxnum")
"""Larger of two numbers, neither of which may be NaN."""
smaller = _operation("llvm.minnum")
"""Smaller of two numbers, neither of which may be NaN."""
