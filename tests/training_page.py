"""The commands of docs/training.md."""

import re
import shlex
from pathlib import Path

from torch.distributed.run import get_args_parser

PAGE = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """Words after ``lavin`` of every command of the page, however it is started."""
    found: list[list[str]] = []
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line)
            if "torchrun" in words:
                # Without "--" torchrun takes --run for a short form of its own options.
                start = get_args_parser().parse_args(words[words.index("torchrun") + 1 :])
                assert start.training_script == "lavin_dit.cli.main"
                found.append(start.training_script_args)
            elif words[:1] == ["lavin"]:
                found.append(words[1:])
    return found
