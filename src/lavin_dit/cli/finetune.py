"""``lavin finetune``: learn a new task from a folder of pairs."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lavin_dit.cli.inputs import check_context
from lavin_dit.cli.outputs import check_writable
from lavin_dit.cli.train import EXIT_NOT_FINITE, EXIT_STOPPED

if TYPE_CHECKING:
    from lavin_dit.recipes.finetune import FinetuneRecipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Finetune:
    """Learn a new task from 10 to 100 example pairs, as an adapter of a trained model.

    Some pairs are held out; the adapter that does best on them is kept. A run that was stopped goes
    on when the same command is given again. Use the result with lavin predict --adapter, and give
    the pairs as context as well.
    """

    pairs: Path
    """Folder of pairs, <id>_input.png and <id>_target.png; videos too."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the adapter; what training needs and tells is in run/ inside it."""
    model: str = "nano"
    """The nano that ships with the package; or the folder of a saved pipeline, or a repository on
    the Hugging Face hub."""
    num_steps: int = 500
    """Optimizer steps."""
    budget: str | None = None
    """End in this time, such as 9m or 2h, with a schedule that fits."""
    rank: int = 16
    """Rank of the change of each layer: more learns more, and overfits sooner."""
    lr: float = 5e-4
    """Full learning rate."""
    batch_size: int = 4
    """Episodes of a step."""
    micro_batch_size: int | None = None
    """Episodes computed at once; less if memory is short."""
    held_out: float = 0.2
    """Share of the pairs that is not trained on."""
    max_pairs: int | None = None
    """Most context pairs of an episode; what the model takes at inference if not given."""
    height: int | None = None
    """Working height in pixels; the model's own if not given."""
    width: int | None = None
    """Working width in pixels; the model's own if not given."""
    num_views: int = 8
    """Views of each pair: one as at inference, the others random windows, the same for both."""
    min_area: float = 0.5
    """Smallest share of a picture that a random window keeps."""
    flip: bool = True
    """Mirror half of the windows; not for a task that tells left from right."""
    validate_every: int = 50
    """Steps between two looks at the pairs that were held out."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """bfloat16 is for GPUs."""
    gradient_checkpointing: bool = False
    """Compute blocks again in the backward pass: less memory, a third more time."""
    device: str | None = None
    """cpu or cuda; the best one of this machine if not given."""
    threads: int | None = None
    """Threads on a CPU; torch's own choice if not given."""
    seed: int = 0
    """Decides which pairs are held out, starting values, views and noise."""

    def run(self) -> int:
        """Train, and say how good the adapter is."""
        check_context(self.pairs)
        check_writable(self.output)
        from lavin_dit.recipes.finetune_run import RUN_FOLDER
        from lavin_dit.recipes.run import RunOptions, run_recipe
        from lavin_dit.training.loop import ENDS, NonFiniteLossError
        from lavin_dit.weights.adapter import load_adapter_config

        options = RunOptions(
            folder=self.output / RUN_FOLDER, device=self.device, threads=self.threads
        )
        try:
            reason = run_recipe(self.recipe(), options)
        except NonFiniteLossError as error:
            print(f"lavin: error: {error}", file=sys.stderr)
            return EXIT_NOT_FINITE
        adapter = load_adapter_config(self.output)
        print(
            f"{self.output}: loss on the pairs held out {adapter.validation_loss:.4f}, without the "
            f"adapter {adapter.base_validation_loss:.4f}; step {adapter.num_steps}, ended by "
            f"{reason}"
        )
        if adapter.validation_loss >= adapter.base_validation_loss:
            print(
                "lavin: the adapter does no better than the model alone: give more pairs, or train "
                "longer",
                file=sys.stderr,
            )
        return 0 if reason in ENDS else EXIT_STOPPED

    def recipe(self) -> "FinetuneRecipe":
        """What is to be done, in full.

        Raises:
            ValueError: If a number is out of range.
        """
        from dataclasses import replace

        from lavin_dit.recipes.finetune import finetune_recipe

        usual = finetune_recipe(pairs=str(self.pairs), model=self.model)
        return replace(
            usual,
            rank=self.rank,
            height=self.height,
            width=self.width,
            held_out=self.held_out,
            max_pairs=self.max_pairs,
            num_views=self.num_views,
            min_area=self.min_area,
            flip=self.flip,
            batch_size=self.batch_size,
            optimizer=replace(usual.optimizer, lr=self.lr),
            loop=replace(
                usual.loop,
                num_steps=self.num_steps,
                budget=self.budget,
                micro_batch_size=self.micro_batch_size,
                precision=self.precision,
                validate_every=self.validate_every,
            ),
            gradient_checkpointing=self.gradient_checkpointing,
            seed=self.seed,
        )
