"""A whole prediction, from a picture in memory to a picture in memory, as a user meets it.

Compares a context given as pairs each time with one compiled before, with and without guidance.

Usage: ``python benchmarks/prediction.py --preset nano --st-vae nano --size 128``
"""

from argparse import ArgumentParser

import numpy as np
import torch

from lavin_dit import LavinDiTPipeline
from record import record, time_side_by_side


def main() -> None:
    """Measure and record."""
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--preset", default="nano")
    parser.add_argument("--st-vae", default="nano")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--pairs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=19)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    pipe = LavinDiTPipeline.from_preset(arguments.preset, st_vae=arguments.st_vae, seed=0)
    rng = np.random.default_rng(0)
    shape = (arguments.size, arguments.size, 3)
    pictures = [rng.integers(0, 256, shape, dtype=np.uint8) for _ in range(2 * arguments.pairs + 1)]
    query = pictures.pop()
    pairs = list(zip(pictures[::2], pictures[1::2], strict=True))
    size = {"height": arguments.size, "width": arguments.size}
    compiled = pipe.compile_context(pairs, **size)

    def predict(context: object, scale: float, **settings: int) -> object:
        return pipe(
            query,
            context=context,
            num_steps=arguments.steps,
            guidance_scale=scale,
            progress=False,
            **settings,
        )

    times = time_side_by_side(
        {
            "pairs, guidance 1.5": lambda: predict(pairs, 1.5, **size),
            "pairs, no guidance": lambda: predict(pairs, 1.0, **size),
            "compiled, guidance 1.5": lambda: predict(compiled, 1.5),
            "compiled, no guidance": lambda: predict(compiled, 1.0),
        },
        repeats=arguments.repeats,
    )
    rows = [{"context": name, **seconds} for name, seconds in times.items()]
    record(
        f"prediction_{arguments.preset}",
        settings=vars(arguments) | {"device": str(pipe.device), "dtype": str(pipe.dtype)},
        rows=rows,
    )


if __name__ == "__main__":
    main()
