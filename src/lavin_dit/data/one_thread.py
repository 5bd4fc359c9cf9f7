"""Computing on one thread, for speed and for sameness.

NumPy's matrix products start a thread per core in every process. With a worker per core these wait
for one another (measured: two workers on two cores make 4 times fewer episodes), and a product
that is cut differently rounds differently, so that the number of cores would show in the pixels.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import lru_cache

from threadpoolctl import ThreadpoolController


@contextmanager
def one_thread() -> Generator[None]:
    """Let matrix products of this process run on one thread meanwhile."""
    with _controller().limit(limits=1, user_api="blas"):
        yield


@lru_cache(maxsize=1)
def _controller() -> ThreadpoolController:
    """Finding the libraries takes milliseconds, so it is done once."""
    return ThreadpoolController()
