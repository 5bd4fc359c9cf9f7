"""How fast a run is: samples and tokens a second, and the share of the device's arithmetic.

The share, model FLOPs utilisation (MFU), counts the operations that the model needs, forward and
backward, and none that are done again to save memory.
"""

from dataclasses import dataclass, field
from time import perf_counter

import torch

_PEAK_BF16_FLOPS = {
    "H100": 989e12,
    "H200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "RTX 4090": 165e12,
    "L4": 121e12,
    "T4": 65e12,
}
"""Dense bfloat16 (T4: float16) arithmetic by the makers' data sheets."""


def peak_flops(device: torch.device, *, dtype: torch.dtype = torch.float32) -> float:
    """Operations a second that a device can do at best.

    Args:
        device: A CUDA device is looked up by name. For a CPU, and a GPU that is not known, the
            rate of a large matrix product is measured.
        dtype: Precision of that product on a CPU.
    """
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for part, flops in _PEAK_BF16_FLOPS.items():
            if part in name:
                return flops
    dtype = torch.bfloat16 if device.type == "cuda" else dtype
    side = 4096 if device.type == "cuda" else 768
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(4):
        start = perf_counter()
        product = matrix @ matrix
        product[0, 0].item()
        best = min(best, perf_counter() - start)
    return 2 * side**3 / best


@dataclass(slots=True)
class Meter:
    """Work done since it was last read.

    Attributes:
        peak: Operations a second of all devices together; 0 where no share is wanted.
    """

    peak: float
    samples: int = 0
    tokens: int = 0
    flops: float = 0.0
    waited_s: float = 0.0
    steps: int = 0
    _since: float = field(default_factory=perf_counter)

    def add(self, *, samples: int, tokens: int, flops: float, waited_s: float) -> None:
        """Count a step of all processes; ``waited_s`` is what the loop waited for its batch."""
        self.samples += samples
        self.tokens += tokens
        self.flops += flops
        self.waited_s += waited_s
        self.steps += 1

    def read(self) -> dict[str, float]:
        """Rates since the last reading, which this one ends."""
        now = perf_counter()
        seconds = max(now - self._since, 1e-9)
        rates = {
            "step_time_s": seconds / max(self.steps, 1),
            "samples_per_s": self.samples / seconds,
            "tokens_per_s": self.tokens / seconds,
            "loader_wait_share": self.waited_s / seconds,
        }
        if self.peak and self.flops:
            rates["mfu"] = self.flops / seconds / self.peak
        self.samples = self.tokens = self.steps = 0
        self.flops = self.waited_s = 0.0
        self._since = now
        return rates

    def skip(self, seconds: float) -> None:
        """Leave out time since the last reading that was not spent on training."""
        self._since += seconds
