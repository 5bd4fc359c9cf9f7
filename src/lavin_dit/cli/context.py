"""``lavin context``: compile example pairs into a task, once for all queries."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lavin_dit.cli.inputs import check_context
from lavin_dit.cli.model_options import ModelOptions
from lavin_dit.cli.outputs import check_writable

if TYPE_CHECKING:
    from lavin_dit.pipeline.compiled_task import CompiledTask


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """Compile a folder of pairs, <id>_input.png and <id>_target.png, into one file."""

    pairs: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PAIRS")]
    """Folder of pairs."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write, ending in .safetensors."""
    model: Annotated[ModelOptions, tyro.conf.arg(name="")]
    num_context_pairs: int | None = None
    """Pairs to take where the folder has more; the model's own number if not given."""
    height: int | None = None
    """Working height in pixels; the model's own if not given."""
    width: int | None = None
    """Working width in pixels; the model's own if not given."""
    fit: Literal["pad", "stretch", "tile"] | None = None
    """pad (the default) keeps the aspect of pictures, stretch fills the working size, tile shows
    the middle of each pair at its own size, for queries in tiles."""
    seed: int = 0
    """Draws the pairs."""
    keep_detail: bool | None = None
    """Whether to measure what results are to keep of their queries; the model's own choice if not
    given."""

    def run(self) -> int:
        """Compile and save."""
        _check_output(self.output)
        check_context(self.pairs)
        task = self.model.load().compile_context(
            self.pairs,
            num_context_pairs=self.num_context_pairs,
            height=self.height,
            width=self.width,
            fit=self.fit,
            seed=self.seed,
            keep_detail=self.keep_detail,
        )
        _save(task, self.output)
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Append:
    """Add all pairs of a folder to a compiled task; the pairs in it are not computed again."""

    task: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TASK")]
    """Compiled task to start from."""
    pairs: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PAIRS")]
    """Folder of pairs to add."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write, ending in .safetensors; may be the task itself."""
    model: Annotated[ModelOptions, tyro.conf.arg(name="")]
    seed: int = 0
    """Draws posterior noise, where the model samples it."""

    def run(self) -> int:
        """Compile what is new and save all."""
        from lavin_dit.pipeline.compiled_task import CompiledTask
        from lavin_dit.pipeline.context import find_pairs

        _check_output(self.output)
        task, pairs = CompiledTask.load(self.task), find_pairs(self.pairs)
        pipeline = self.model.load()
        for pair in pairs:
            task = pipeline.append_pair(
                task, (pair.input, pair.target), name=pair.name, seed=self.seed
            )
        _save(task, self.output)
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """Compile example pairs into a task, once for all queries."""

    verb: (
        Annotated[Build, tyro.conf.subcommand("build")]
        | Annotated[Append, tyro.conf.subcommand("append")]
    )

    def run(self) -> int:
        """Run the verb."""
        return self.verb.run()


def _check_output(path: Path) -> None:
    if path.suffix != ".safetensors":
        raise ValueError(f"{path}: a compiled task's file must end in .safetensors")
    check_writable(path.parent)


def _save(task: "CompiledTask", path: Path) -> None:
    task.save(path)
    size = path.stat().st_size / 2**20
    print(
        f"{path}: {task.num_pairs} pairs ({', '.join(task.pair_names)}) at "
        f"{task.canvas.height}x{task.canvas.width}, {size:.1f} MiB"
    )
