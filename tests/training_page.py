"""The commands of docs/training.md."""

import re
import shlex
from pathlib import Path

PAGE = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")


def commands() -> list[list[str]]:
    """Words after ``lavin`` of every command of the page, however it is started."""
    found: list[list[str]] = []
    for block in re.findall(r"^```sh\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line)
            if "lavin_dit.cli.main" in words:
                found.append(words[words.index("lavin_dit.cli.main") + 1 :])
            elif words[:1] == ["lavin"]:
                found.append(words[1:])
    return found
