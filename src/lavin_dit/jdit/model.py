"""The joint diffusion transformer: the velocity of a noisy target, given clean condition clips.

The condition is a run of latent clips: input and target of every context pair, then the query. All
frames, the target's last, form one list; a token's position is its frame's index in that list, its
patch row and its patch column. What marks a token as input or target of a pair is its place alone.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lavin_dit.jdit.attention import KeyValue
from lavin_dit.jdit.block import NUM_DROP_PATH_BRANCHES, BlockOutput, JDiTBlock, TokenStream
from lavin_dit.jdit.checks import (
    Grid,
    check_cache,
    check_causal,
    check_clip_frames,
    check_latent,
    check_pair,
)
from lavin_dit.jdit.config import JDiTConfig
from lavin_dit.jdit.context_cache import ContextCache
from lavin_dit.jdit.dense_attention import DenseMasks, dense_masks
from lavin_dit.jdit.final_layer import FinalLayer
from lavin_dit.jdit.modulation import TimestepEmbedding
from lavin_dit.jdit.patch_embedding import patchify, unpatchify
from lavin_dit.jdit.rope import RotaryTable, rotary_table


def _linear_layers(module: nn.Module) -> Iterator[nn.Linear]:
    return (layer for layer in module.modules() if isinstance(layer, nn.Linear))


def _zero_bias(layer: nn.Linear) -> None:
    if layer.bias is not None:  # pyright: ignore[reportUnnecessaryComparison]
        nn.init.zeros_(layer.bias)


class JDiT(nn.Module):
    """Joint diffusion transformer.

    Loads the released code's tensors by their own names. `forward` computes a velocity from
    scratch in either context setting; `extend_context` and `denoise` split a causal model's work
    into what is done once and what is done at every sampling step.

    Attributes:
        config: The architecture.
        gradient_checkpointing: Recompute each block in the backward pass instead of storing its
            activations.
        masked_supervision: In training, compute attention of `supervise` in one masked kernel a
            block, for a GPU.

    Source:
        Paper section 3.1.2; details that it leaves open follow the released code.
    """

    def __init__(self, config: JDiTConfig) -> None:
        """Build the network with freshly initialised weights."""
        super().__init__()
        self.config = config
        self.gradient_checkpointing = False
        self.masked_supervision = False
        width = config.hidden_size
        self.prompt_embed = nn.Parameter(torch.empty(1, width))
        self.answer_embed = nn.Parameter(torch.empty(1, width))
        self.cond_embedder = nn.Sequential(nn.Linear(config.patch_dim, width), nn.LayerNorm(width))
        self.x_embedder = nn.Sequential(nn.Linear(config.patch_dim, width), nn.LayerNorm(width))
        self.t_embedder = TimestepEmbedding(width)
        self.blocks = nn.ModuleList([JDiTBlock(config) for _ in range(config.num_layers)])
        self.final_layer = FinalLayer(config)
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw initial weights: the network starts out predicting zero velocity.

        Args:
            generator: Source of randomness; torch's default one if None.

        Source:
            Not stated in the paper; the release's: Xavier-uniform linear layers, normal(0.02) for
            the timestep embedding and the type vectors, zero for all modulations and the output.
        """
        for layer in _linear_layers(self):
            nn.init.xavier_uniform_(layer.weight, generator=generator)
            _zero_bias(layer)
        for layer in _linear_layers(self.t_embedder):
            nn.init.normal_(layer.weight, std=0.02, generator=generator)
        for vector in (self.prompt_embed, self.answer_embed):
            nn.init.normal_(vector, std=0.02, generator=generator)
        silent: list[nn.Module] = [self.final_layer]
        for block in self._blocks():
            silent += [block.cond_modulation, block.x_modulation]
        for module in silent:
            for layer in _linear_layers(module):
                nn.init.zeros_(layer.weight)
                _zero_bias(layer)

    def forward(
        self,
        noisy_target: Float[Tensor, "b c t h w"],
        timestep: Float[Tensor, " b"],
        condition: Float[Tensor, "b c s h w"],
        *,
        clip_frames: Sequence[int] | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Float[Tensor, "b c t h w"]:
        """Predict the velocity of the target.

        Args:
            noisy_target: Mixture of noise and normalised target latent.
            timestep: Place on the path, in [0, 1], 0 being pure noise.
            condition: Normalised latent frames of the context pairs and the query, in order.
            clip_frames: Latent frames of each condition clip, in order; their sum is ``s``. A clip
                per frame if None, which is right for images. Joint context does not need it.
            generator: Source of drop path's randomness in training, for all samples or one for
                each; torch's default one if None.

        Returns:
            Velocity, always float32.

        Raises:
            ValueError: If shapes do not belong together.
        """
        grid = check_pair(noisy_target, condition, config=self.config)
        scales = self._drop_path_scales(noisy_target.shape[0], noisy_target.device, generator)
        time = self.t_embedder(timestep)
        clip_tokens, condition_time = None, time + self.prompt_embed
        if self.config.context_attention == "causal":
            clip_tokens = check_clip_frames(
                clip_frames, check_latent(condition, "condition", config=self.config)
            )
            condition_time = self.prompt_embed.expand_as(time)
        condition_stream = self._stream(self.cond_embedder, condition, 0, condition_time)
        target_stream = self._stream(
            self.x_embedder, noisy_target, condition.shape[2], time + self.answer_embed
        )
        target_stream = self._through_blocks(
            condition_stream, target_stream, scales=scales, clip_tokens=clip_tokens
        )
        return self._velocity(target_stream, grid)

    def supervise(
        self,
        noisy_targets: Float[Tensor, "b g c t h w"],
        timesteps: Float[Tensor, "b g"],
        condition: Float[Tensor, "b c s h w"],
        *,
        clip_frames: Sequence[int] | None = None,
        views: Sequence[int],
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
    ) -> Float[Tensor, "b g c t h w"]:
        """Predict the velocities of several targets in one pass over a shared causal condition.

        Each target stands right behind the condition clips that it sees, and its velocity is what
        `forward` returns for it and those clips alone.

        Args:
            noisy_targets: Mixtures of noise and normalised target latents.
            timesteps: Each target's place on the path, in [0, 1].
            condition: As in `forward`; the longest condition of all targets.
            clip_frames: As in `forward`.
            views: How many condition clips each target sees, for example 1, 3, 5 for the targets
                of three pairs.
            generator: As in `forward`; the targets of a sample share what is dropped.

        Returns:
            Velocities, always float32.

        Raises:
            ValueError: If the model has joint context, in which a condition belongs to one target,
                or shapes do not belong together.

        Source:
            Ours (decisions 0003 and 0015): dense supervision.
        """
        check_causal(self.config)
        grid = check_pair(noisy_targets[:, 0], condition, config=self.config)
        clip_tokens = check_clip_frames(
            clip_frames, check_latent(condition, "condition", config=self.config)
        )
        if len(views) != noisy_targets.shape[1] or not all(
            0 < view <= len(clip_tokens) for view in views
        ):
            raise ValueError(
                f"views {tuple(views)} must give each of {noisy_targets.shape[1]} targets 1 to "
                f"{len(clip_tokens)} condition clips"
            )
        visible = [sum(clip_tokens[:view]) for view in views]
        scales = self._drop_path_scales(condition.shape[0], condition.device, generator)
        time = self.t_embedder(timesteps.flatten()).unflatten(0, timesteps.shape)  # (b, g, d)
        condition_stream = self._stream(
            self.cond_embedder, condition, 0, self.prompt_embed.expand(condition.shape[0], -1)
        )
        first_frames = [tokens // (grid.rows * grid.cols) for tokens in visible]
        targets = self._target_streams(noisy_targets, first_frames, time + self.answer_embed)
        masks = None
        if self.masked_supervision and self.training:
            masks = dense_masks(
                clip_tokens=clip_tokens,
                target_views=tuple(visible),
                target_tokens=targets.hidden.shape[1] // len(visible),
                device=condition.device,
            )
        targets = self._through_blocks(
            condition_stream,
            targets,
            scales=scales,
            clip_tokens=clip_tokens,
            target_views=tuple(visible),
            masks=masks,
        )
        frames = grid._replace(frames=grid.frames * len(visible))
        velocities = self._velocity(targets, frames)
        return velocities.unflatten(2, (len(visible), -1)).movedim(2, 1)

    def idle_parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        """Name the parameters that no prediction depends on: the condition's way out of the end.

        The last block computes the condition's keys and values, and nothing else of it. The
        released checkpoint holds weights for the rest as well.

        Yields:
            Names and parameters, which never get a gradient.
        """
        prefix = f"blocks.{self.config.num_layers - 1}."
        idle = (
            "cond_mlp.",
            "joint_attn.cond_q.",
            "joint_attn.cond_qnorm.",
            "joint_attn.cond_proj.",
        )
        for name, parameter in self.named_parameters():
            if name.startswith(tuple(prefix + part for part in idle)):
                yield name, parameter

    def hidden_matrices(self) -> Iterator[nn.Parameter]:
        """Matrices of the blocks that map activations to activations.

        Yields:
            Weights of attention's and the feed-forward layers' projections.
        """
        for block in self._blocks():
            for layers in (block.joint_attn, block.cond_mlp, block.x_mlp):
                for parameter in layers.parameters():
                    if parameter.ndim == 2:
                        yield parameter

    def extend_context(
        self,
        cache: ContextCache | None,
        condition: Float[Tensor, "b c s h w"],
        *,
        clip_frames: Sequence[int] | None = None,
    ) -> ContextCache:
        """Append condition clips to a causal model's context.

        Only the new clips are computed. Appending one by one, or many at once, gives the same.

        Args:
            cache: The clips so far; None starts anew. A cache with a batch of 1 serves any batch.
            condition: Normalised latent frames of the new clips.
            clip_frames: Latent frames of each new clip; a clip per frame if None.

        Raises:
            ValueError: If the model has joint context, whose condition depends on the target, or if
                shapes do not belong together.
        """
        check_causal(self.config)
        grid = check_latent(condition, "condition", config=self.config)
        clip_tokens = check_clip_frames(clip_frames, grid)
        if cache is not None:
            check_cache(cache, grid, batch=condition.shape[0], config=self.config)
        first_frame = 0 if cache is None else cache.num_frames
        time_vector = self.prompt_embed.expand(condition.shape[0], -1)
        stream = self._stream(self.cond_embedder, condition, first_frame, time_vector)
        seen: list[KeyValue] = []
        for index, block in enumerate(self._blocks()):
            stream, _, in_this_block = self._run(
                block,
                stream,
                None,
                None if cache is None else cache.blocks[index],
                clip_tokens=clip_tokens,
                update_condition=index < self.config.num_layers - 1,
            )
            assert in_this_block is not None, "a block that is given a condition returns its keys"
            seen.append(in_this_block)
        return ContextCache(
            blocks=tuple(seen),
            num_frames=first_frame + grid.frames,
            rows=grid.rows,
            cols=grid.cols,
        )

    def denoise(
        self,
        noisy_target: Float[Tensor, "b c t h w"],
        timestep: Float[Tensor, " b"],
        cache: ContextCache,
    ) -> Float[Tensor, "b c t h w"]:
        """Predict the velocity of the target from a cached condition, the query included.

        Args:
            noisy_target: As in `forward`.
            timestep: As in `forward`.
            cache: From `extend_context`.

        Returns:
            Velocity, always float32; what `forward` returns for the same condition.

        Raises:
            ValueError: If the model has joint context, or the cache belongs to another batch, size
                of picture or model.
        """
        grid = check_latent(noisy_target, "noisy_target", config=self.config)
        check_causal(self.config)
        check_cache(cache, grid, batch=noisy_target.shape[0], config=self.config)
        stream = self._stream(
            self.x_embedder,
            noisy_target,
            cache.num_frames,
            self.t_embedder(timestep) + self.answer_embed,
        )
        for index, block in enumerate(self._blocks()):
            _, stream, _ = self._run(block, None, stream, cache.blocks[index])
        return self._velocity(stream, grid)

    def _through_blocks(
        self,
        condition: TokenStream | None,
        target: TokenStream | None,
        *,
        scales: Float[Tensor, "layers 4 b"] | None,
        clip_tokens: tuple[int, ...] | None,
        target_views: tuple[int, ...] | None = None,
        masks: DenseMasks | None = None,
    ) -> TokenStream | None:
        """Run both streams through all blocks."""
        for index, block in enumerate(self._blocks()):
            condition, target, _ = self._run(
                block,
                condition,
                target,
                clip_tokens=clip_tokens,
                target_views=target_views,
                dense_masks=masks,
                branch_scale=None if scales is None else scales[index],
                update_condition=index < self.config.num_layers - 1,
            )
        return target

    def _blocks(self) -> list[JDiTBlock]:
        return [cast("JDiTBlock", block) for block in self.blocks]

    def _run(
        self,
        block: JDiTBlock,
        condition: TokenStream | None,
        target: TokenStream | None,
        past: KeyValue | None = None,
        **settings: object,
    ) -> BlockOutput:
        """Call a block, storing its activations or not."""
        if self.gradient_checkpointing and torch.is_grad_enabled():
            call = partial(block, **settings)
            return checkpoint(call, condition, target, past, use_reentrant=False)
        return block(condition, target, past, **settings)

    def _stream(
        self, embedder: nn.Module, latent: Tensor, first_frame: int, time_vector: Tensor
    ) -> TokenStream:
        frames = [range(first_frame, first_frame + latent.shape[2])]
        patches = patchify(latent, patch_size=self.config.patch_size).to(self.prompt_embed.dtype)
        return TokenStream(embedder(patches), time_vector, self._table(frames, latent))

    def _target_streams(
        self, noisy_targets: Tensor, first_frames: Sequence[int], time_vectors: Tensor
    ) -> TokenStream:
        """Several targets as one stream, each at its own place among the frames."""
        patches = patchify(noisy_targets.flatten(0, 1), patch_size=self.config.patch_size)
        hidden = self.x_embedder(patches.to(self.prompt_embed.dtype))  # (b * g, n, d)
        num_frames = noisy_targets.shape[3]
        frames = [range(first, first + num_frames) for first in first_frames]
        return TokenStream(
            hidden.unflatten(0, noisy_targets.shape[:2]).flatten(1, 2),
            time_vectors,
            self._table(frames, noisy_targets),
        )

    def _table(self, frames: Sequence[range], latent: Tensor) -> RotaryTable:
        size = self.config.patch_size
        return rotary_table(
            frames=frames,
            rows=latent.shape[-2] // size,
            cols=latent.shape[-1] // size,
            axes_dim=self.config.rope_axes_dim,
            patch_step=self.config.rope_patch_step,
            device=latent.device,
        )

    def _velocity(self, stream: TokenStream | None, grid: Grid) -> Tensor:
        assert stream is not None, "a block that is given a target returns one"
        patches = self.final_layer(stream.hidden, stream.time_vector).float()
        return unpatchify(patches, grid=grid, patch_size=self.config.patch_size)

    def _drop_path_scales(
        self,
        batch: int,
        device: torch.device,
        generator: torch.Generator | Sequence[torch.Generator] | None,
    ) -> Float[Tensor, "layers 4 b"] | None:
        """Draw which branches of which samples to drop; survivors are scaled up to compensate."""
        if not self.training or self.config.drop_path == 0.0:
            return None
        num_layers = self.config.num_layers
        rates = torch.linspace(0.0, self.config.drop_path, num_layers, device=device)[:, None, None]
        if isinstance(generator, Sequence):
            if len(generator) != batch:
                raise ValueError(f"{len(generator)} generators are given for {batch} samples")
            shape = (num_layers, NUM_DROP_PATH_BRANCHES)
            columns = [torch.rand(shape, generator=one, device=one.device) for one in generator]
            draws = torch.stack(columns, dim=-1).to(device)
        else:
            shape = (num_layers, NUM_DROP_PATH_BRANCHES, batch)
            source_device = device if generator is None else generator.device
            draws = torch.rand(shape, generator=generator, device=source_device).to(device)
        return (draws >= rates).float() / (1.0 - rates)
