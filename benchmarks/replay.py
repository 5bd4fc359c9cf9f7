"""Functions of tensors as CUDA graphs: recorded once, replayed without launching each kernel."""

from collections.abc import Callable
from typing import Generic, TypeVar

import torch
from torch import Tensor

Result = TypeVar("Result")


class Replayed(Generic[Result]):
    """A function of tensors of fixed shapes that always runs on the same memory.

    Attributes:
        result: What the function returned; every call overwrites its tensors.
    """

    def __init__(self, function: Callable[..., Result], *examples: Tensor) -> None:
        """Record a function.

        Args:
            function: Computes on the device alone, and does not depend on the values.
            examples: Arguments of the shapes that it will get.
        """
        self._inputs = [example.clone() for example in examples]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):  # what is set up by a first call can't be recorded
            for _ in range(2):
                function(*self._inputs)
        torch.cuda.current_stream().wait_stream(side)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self.result = function(*self._inputs)

    def __call__(self, *arguments: Tensor) -> Result:
        """Run it again; the result is valid until the next call."""
        for mine, given in zip(self._inputs, arguments, strict=True):
            mine.copy_(given)
        self._graph.replay()
        return self.result


def replayed_or_eager(
    function: Callable[..., Result], *examples: Tensor
) -> Replayed[Result] | None:
    """Record a function where that can be done.

    Args:
        function: As for `Replayed`.
        examples: As for `Replayed`.

    Returns:
        None on another device than CUDA, and where recording fails, which is told.
    """
    if not examples[0].is_cuda:
        return None
    try:
        return Replayed(function, *examples)
    except RuntimeError as error:
        print(f"can't be recorded as a CUDA graph: {error}")
        return None
