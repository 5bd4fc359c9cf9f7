"""How kernel functions are compiled."""

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def kernel(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function for the CPU; CUDA kernels can call it too, Numba compiles it anew there.

    Python's float literals are double precision, and one of them is enough to make a whole
    expression so. They are replaced by single-precision constants before compiling.

    Args:
        function: A function of a module, so that the compiled code can be cached on disk.

    Returns:
        The compiled function. Functions that run threads may call it: it holds no lock.
    """
    plain = inspect.unwrap(function)  # the tests' shape checker wraps what it finds
    assert isinstance(plain, FunctionType)
    code = plain.__code__
    constants = tuple(np.float32(c) if isinstance(c, float) else c for c in code.co_consts)
    plain.__code__ = code.replace(co_consts=constants)
    compiled = numba.njit(fastmath=True, nogil=True, error_model="numpy", cache=True)(plain)
    return cast(Callable[Parameters, Result], compiled)
