"""How kernel functions are compiled."""

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any, ParamSpec, TypeVar, cast

import numba
import numpy as np

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def _sources_digest() -> str:
    """Changes with any file of this folder or with the layout of the arrays."""
    folder = Path(__file__).parent
    files = [*sorted(folder.glob("*.py")), folder.parent / "arrays.py"]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:8]


_SOURCES = _sources_digest()


def kernel(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function for the CPU; CUDA kernels can call it too, Numba compiles it anew there.

    Python's float literals are double precision, and one of them is enough to make a whole
    expression so. They are replaced by single-precision constants before compiling. Arrays are
    not counted as long as they are used (``_nrt``), which cost four fifths of the time: a
    kernel cannot allocate one.

    Args:
        function: A function of a module, so that the compiled code can be cached on disk.

    Returns:
        The compiled function. Functions that run threads may call it: it holds no lock.
    """
    return _compiled(function, inlined=False)


def inlined_kernel(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile a function into each of its callers.

    A scene is a hundred machine words: to hand it to a function takes longer than to ask whether
    a ray meets a sphere.

    Args:
        function: As for :func:`kernel`.

    Returns:
        The compiled function.
    """
    return _compiled(function, inlined=True)


def _compiled(
    function: Callable[Parameters, Result], *, inlined: bool
) -> Callable[Parameters, Result]:
    """The one place where Numba is asked to compile."""
    plain = inspect.unwrap(function)  # the tests' shape checker wraps what it finds
    assert isinstance(plain, FunctionType)
    code = plain.__code__
    # Numba's cache watches a function's own file, not those of the functions that it calls.
    plain.__qualname__ += f"_{_SOURCES}"
    plain.__code__ = code.replace(co_consts=tuple(map(_single, code.co_consts)))
    njit: Any = numba.njit  # its type stubs know only a part of its settings
    compiled = njit(
        fastmath=True, nogil=True, error_model="numpy", cache=True, _nrt=False, forceinline=inlined
    )(plain)
    return cast(Callable[Parameters, Result], compiled)


def _single(constant: object) -> object:
    """A constant in single precision, also within tuples."""
    if isinstance(constant, tuple):
        return tuple(map(_single, cast(tuple[object, ...], constant)))
    return np.float32(constant) if isinstance(constant, float) else constant
