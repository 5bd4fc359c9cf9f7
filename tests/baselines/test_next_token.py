"""The next-token baseline: tokens and back, who sees what, that it learns, and its files."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from lavin_dit.baselines.codebooks import Codebooks, fitted_codebooks, pixel_coordinates
from lavin_dit.baselines.config import CodebookConfig, DecoderConfig, NextTokenDefaults
from lavin_dit.evaluation.question import Question
from lavin_dit.training.loop import Training
from lavin_dit.training.run_folder import read_metrics
from lavin_dit.weights.store import WeightsMismatchError
from pictures import picture
from random_networks import latents, random_st_vae
from tiny_training import ALONE, CONSTANT, LOOP, OPTIMIZER, NumberBatches

pytest.importorskip("transformers")

from lavin_dit.baselines.decoder import NextTokenDecoder, decoder_flops
from lavin_dit.baselines.next_token import (
    NextTokenModel,
    NextTokenPredictor,
    load_next_token,
    save_next_token,
)
from lavin_dit.baselines.objective import NextTokenObjective

CODES, LEVELS = 5, 2
BOOKS = CodebookConfig(num_codes=CODES, num_levels=LEVELS, latent_channels=16)
TINY = DecoderConfig(
    num_codes=CODES,
    num_levels=LEVELS,
    hidden_size=24,
    num_layers=2,
    num_heads=3,
    num_kv_heads=1,
    mlp_hidden_size=40,
)


def decoder(config=TINY, seed=0):
    network = NextTokenDecoder(config)
    network.reset_parameters(torch.Generator().manual_seed(seed))
    return network.eval()


def codebooks(config=BOOKS, seed=3):
    books = Codebooks(config)
    shape = config.num_levels, config.num_codes, config.latent_channels
    books.codes.copy_(latents(*shape, seed=seed))
    books.to_pixels.copy_(torch.diag(torch.linspace(1, 2, config.latent_channels)))
    books.to_latent.copy_(torch.linalg.inv(books.to_pixels))
    return books


def model():
    return NextTokenModel(
        st_vae=random_st_vae(),
        codebooks=codebooks(),
        decoder=decoder(),
        defaults=NextTokenDefaults(height=16, width=24, num_context_pairs=2),
    )


def test_tokens_that_are_decoded_are_encoded_as_they_were():
    # With one level a code is nearest to itself; levels take turns, and so must tokens.
    books = codebooks(replace(BOOKS, num_levels=1))
    tokens = torch.randint(CODES, (2, 3 * 2 * 5), generator=torch.Generator().manual_seed(0))
    latent = books.decode(tokens, size=(2, 5))
    assert latent.shape == (2, 16, 3, 2, 5)
    assert torch.equal(books.encode(latent), tokens)
    near = latents(2, 16, 9, 7, 5)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        in_autocast = codebooks().encode(near)
    assert torch.equal(in_autocast, codebooks().encode(near))
    with pytest.raises(ValueError, match="no whole frames of 2 x 4"):
        books.decode(tokens, size=(2, 4))
    with pytest.raises(ValueError, match="take turns among levels 0 to 1"):
        codebooks().decode(torch.zeros(1, 20, dtype=torch.int64), size=(2, 5))


def test_each_level_leaves_less():
    data = latents(20, 16, 2, 3, seed=1)
    config = CodebookConfig(num_codes=8, num_levels=3, latent_channels=16)
    books = fitted_codebooks(data, random_st_vae(), config=config, seed=0)
    tokens = books.encode(data[:, :, None])
    vectors = data.movedim(1, -1).flatten(0, 2) @ books.to_pixels
    codes = books.codes.flatten(0, 1)[tokens.reshape(-1, 3)]
    left = [float((vectors - codes[:, :num].sum(dim=1)).square().mean()) for num in range(4)]
    assert left == sorted(left, reverse=True), left
    found = books.decode(tokens, size=(2, 3)).movedim(1, -1).reshape(-1, 16) @ books.to_pixels
    assert float((vectors - found).square().mean()) == pytest.approx(left[3], rel=1e-3)
    with pytest.raises(ValueError, match="8 codes need as many different vectors, got 6"):
        fitted_codebooks(data[:1], random_st_vae(), config=config, seed=0)


def test_pixel_coordinates_measure_what_pixels_do():
    st_vae, data = random_st_vae(), latents(12, 16, 2, 2, seed=2)
    to_pixels = pixel_coordinates(data, st_vae, seed=0)
    step = latents(12, 16, seed=4) * torch.linspace(0.1, 3, 16)

    def decoded(latent):
        return st_vae.decode(st_vae.denormalize(latent[:, :, None]))

    told, true = [], []
    with torch.no_grad():
        for one in step:
            moved = data.clone()
            moved[:, :, 1, 0] += 1e-2 * one
            true.append(float((decoded(moved) - decoded(data)).square().mean()))
            told.append(float((one @ to_pixels).square().sum()))
    lengths = step.square().sum(dim=1)
    assert np.corrcoef(told, true)[0, 1] > max(0.85, np.corrcoef(lengths, true)[0, 1])


def test_what_is_written_with_a_cache_is_the_likeliest_without_one():
    network, count = decoder(), 6
    prompt = torch.randint(CODES, (3, 8), generator=torch.Generator().manual_seed(1))
    written = network.write(prompt, count=count)
    sequence = prompt
    for place in range(count):
        first = place % LEVELS * CODES
        likely = network.logits(network(sequence)[:, -1])[:, first : first + CODES]
        sequence = torch.cat([sequence, likely.argmax(dim=1, keepdim=True) + first], dim=1)
    assert torch.equal(written, sequence[:, prompt.shape[1] :])


def test_the_loss_is_that_of_each_token_after_those_before_it():
    batch = next(iter(NumberBatches(num_pairs=3))).part(0, 2)
    network, books = decoder(), codebooks()
    parts = [
        books.encode(clips[:, pair]) for pair in range(3) for clips in (batch.inputs, batch.targets)
    ]
    length = parts[0].shape[1]
    sequence = torch.cat(parts, dim=1)
    with torch.no_grad():
        told = network.logits(network(sequence)).log_softmax(dim=-1)
        each = -told[:, :-1].gather(2, sequence[:, 1:, None])[..., 0]  # of token 1, 2, ...
        of_clip = [each[:, max(0, n * length - 1) : (n + 1) * length - 1] for n in range(6)]
        found = {
            way: NextTokenObjective(network, books, supervision=way)(batch, 0)
            for way in ("all", "targets")
        }
    torch.testing.assert_close(found["all"].total, each.mean())
    # The first pair's target is not learned: nothing tells the task before it.
    torch.testing.assert_close(found["targets"].total, torch.cat(of_clip[3::2], dim=1).mean())
    for losses in found.values():
        torch.testing.assert_close(losses.logged["loss_query"], of_clip[5].mean())


def test_it_learns_through_the_loop(tmp_path):
    objective = NextTokenObjective(decoder(), codebooks(), supervision="targets")
    training = Training(
        objective=objective,
        call=objective,
        batches=NumberBatches(batch_size=8, num_episodes=8),
        processes=ALONE,
        config=replace(LOOP, num_steps=40, log_every=5, checkpoint_every=10**6),
        optimizer_config=replace(OPTIMIZER, lr=1e-2),
        schedule=CONSTANT,
        folder=tmp_path,
    )
    training.run()
    losses = [line["total"] for line in read_metrics(tmp_path)]
    assert losses[-1] < 0.7 * losses[0]


def question(seed, frames=1):
    clips = [picture(16, 24, seed=seed + place)[None].repeat(frames, axis=0) for place in range(5)]
    return Question(inputs=tuple(clips[:2]), targets=tuple(clips[2:4]), query=clips[4])


@pytest.mark.parametrize("frames", [1, 3])
def test_an_answer_hangs_on_its_own_question_alone(frames):
    predictor = NextTokenPredictor(model())
    asked = [question(0, frames), question(40, frames)]
    together = predictor.predict(asked)
    assert together[0].shape == asked[0].targets[0].shape
    for one, answer in zip(asked, together, strict=True):
        # Batched sums round differently, which moves a level here and there.
        alone = predictor.predict([one])[0]
        assert np.abs(alone.astype(int) - answer).max() <= 1
    assert predictor.predict([]) == []


def test_another_size_is_refused():
    large = tuple(picture(32, 32, seed=place)[None] for place in range(3))
    with pytest.raises(ValueError, match="trained on 16 x 24 pixels and paints no other"):
        NextTokenPredictor(model()).predict(
            [Question(inputs=large[:1], targets=large[1:2], query=large[2])]
        )


def test_a_model_that_is_saved_answers_the_same(tmp_path):
    saved = model()
    save_next_token(tmp_path, saved)
    loaded = load_next_token(tmp_path, device=torch.device("cpu"))
    assert loaded.fingerprint() == saved.fingerprint()
    assert loaded.defaults == saved.defaults
    answers = [NextTokenPredictor(one).predict([question(7)])[0] for one in (saved, loaded)]
    np.testing.assert_array_equal(*answers)
    other = replace(saved, decoder=decoder(seed=1))
    save_next_token(tmp_path, saved, state=other.decoder.state_dict())
    again = load_next_token(tmp_path, device=torch.device("cpu"))
    assert again.fingerprint() == other.fingerprint()
    wide = NextTokenDecoder(replace(TINY, mlp_hidden_size=48))
    wide.reset_parameters(torch.Generator().manual_seed(0))
    save_next_token(tmp_path / "wide", replace(saved, decoder=wide))
    (tmp_path / "wide/decoder/model.safetensors").replace(tmp_path / "decoder/model.safetensors")
    with pytest.raises(WeightsMismatchError):
        load_next_token(tmp_path, device=torch.device("cpu"))
    with pytest.raises(FileNotFoundError, match="no next-token model"):
        load_next_token(tmp_path / "decoder", device=torch.device("cpu"))


def test_operations_are_those_of_the_network():
    tokens = torch.zeros(1, 12, dtype=torch.int64)
    network = decoder()
    counter = FlopCounterMode(display=False)
    with sdpa_kernel(SDPBackend.MATH), counter, torch.no_grad():  # the others are not counted
        network.logits(network(tokens)[:, :7])
    told = decoder_flops(TINY, num_tokens=12, num_learned=7)
    # The counter takes all scores, we those that a token may see.
    unseen = 2 * TINY.num_layers * 2 * TINY.hidden_size * (12 * 12 - 12 * 13 // 2)
    assert counter.get_total_flops() == pytest.approx(told + unseen, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"num_kv_heads": 2}, "num_heads 3 must divide half of hidden_size 24"),
    ],
)
def test_shapes_that_cannot_be_are_refused(change, told):
    with pytest.raises(ValueError, match=told):
        replace(TINY, **change)
