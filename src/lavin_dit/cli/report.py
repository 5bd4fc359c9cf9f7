"""``lavin report``: the curves of runs, and what happened in words."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from lavin_dit.cli.outputs import check_writable


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Draw the curves of one or several runs, going on or over, and say what happened in them."""

    runs: Annotated[tyro.conf.Positional[tuple[Path, ...]], tyro.conf.arg(metavar="RUN [RUN ...]")]
    """Folders of runs, or of adapters."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("report.png")
    """Picture to write."""

    def run(self) -> int:
        """Read, draw and tell."""
        if not self.runs:
            raise ValueError("no runs: name folders that lavin train or lavin finetune wrote")
        if self.output.suffix.lower() != ".png":
            raise ValueError(f"{self.output}: a report's picture must end in .png")
        check_writable(self.output.parent)
        from PIL import Image

        from lavin_dit.pipeline.atomic import written_atomically
        from lavin_dit.training.curves import draw_panels
        from lavin_dit.training.report import panels_of, read_run, summary

        runs = [read_run(folder) for folder in self.runs]
        with written_atomically(self.output) as partial:
            Image.fromarray(draw_panels(panels_of(runs))).save(partial)
        print("\n\n".join(summary(run) for run in runs))
        print(self.output)
        return 0
