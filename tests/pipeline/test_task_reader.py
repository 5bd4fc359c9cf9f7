"""Tasks by name: queries are cut as a task takes them, and answers are put together and read."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lavin_dit.pipeline.clips import Clip
from lavin_dit.pipeline.depth_pieces import in_one_range
from lavin_dit.pipeline.example_sets import examples_for, load_examples
from lavin_dit.pipeline.fitting import Canvas, resized
from lavin_dit.pipeline.prediction import Prediction
from lavin_dit.pipeline.task_contexts import TaskContexts
from lavin_dit.pipeline.task_reader import TaskReader
from lavin_dit.vision.codecs.boxes import BoxCodec, Boxes
from lavin_dit.vision.codecs.depth import Depth, DepthCodec
from lavin_dit.vision.codecs.instances import Instances
from lavin_dit.vision.codecs.masks import Mask
from lavin_dit.vision.codecs.panoptic import Panoptic
from lavin_dit.vision.codecs.rgb import Rgb
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import find_task
from pictures import picture
from random_networks import random_pipeline

QUIET = {"progress": False}


def clip_of(num_frames: int, height: int = 18, width: int = 26) -> Clip:
    """Frames that tell their number: all pixels of frame i have level i."""
    frames = np.arange(num_frames, dtype=np.uint8)[:, None, None, None]
    return Clip(frames=np.broadcast_to(frames, (num_frames, height, width, 3)).copy(), name="walk")


def echo(clips):
    """Answers each clip with itself, as a perfect network of a copying task would."""
    for clip in clips:
        pixels = torch.from_numpy(clip.frames.astype(np.float32) / 255).permute(0, 3, 1, 2)
        yield Prediction(
            name=clip.name,
            pixels=pixels,
            working_pixels=pixels,
            latent=torch.zeros(16, 1 + (clip.num_frames - 1) // 4, 2, 3),
            frames_per_second=None,
            seed=0,
            pair_names=(),
        )


@pytest.mark.parametrize("num_frames", [2, 5, 13, 14, 25, 26, 40])
@pytest.mark.parametrize("name", ["video_depth", "depth_estimation"])
def test_pieces_put_together_are_the_clip(name, num_frames):
    clip = clip_of(num_frames)
    reader = TaskReader(task=find_task(name))
    assert {piece.num_frames for piece in reader.pieces(clip)} == {reader.task.num_input_frames}
    (answer,) = reader.stream([clip], predict=echo)
    np.testing.assert_array_equal(answer.clip.frames, clip.frames)
    assert answer.annotation.shape.num_frames == num_frames


def test_no_piece_is_computed_in_vain():
    reader = TaskReader(task=find_task("video_depth"))
    counts = [len(reader.pieces(clip_of(n))) for n in (2, 13, 14, 25, 26)]
    assert counts == [1, 1, 2, 2, 3]


def test_depth_of_a_long_clip_has_one_scale_and_shift():
    """Each piece is painted in its own range, as a perfect network would."""
    rows = np.linspace(1.0, 4.0, 18)[:, None] * np.ones((18, 26))
    metres = np.stack([rows * (1 + 0.02 * number) + 0.05 * number for number in range(30)])
    valid = np.ones(metres.shape, dtype=np.bool_)
    valid[:, :3, :3] = False
    truth = Depth(metres=metres.astype(np.float32), valid=valid)
    codec = DepthCodec(tail=0.0)

    def painted(clips):
        for clip in clips:
            numbers = clip.frames[:, 0, 0, 0]
            own = Depth(metres=truth.metres[numbers], valid=truth.valid[numbers])
            pixels, _ = codec.paint(own)
            yield next(echo([replace(clip, frames=pixels)]))

    reader = TaskReader(task=find_task("video_depth"))
    (answer,) = reader.stream([clip_of(30)], predict=painted)
    found = answer.annotation
    assert np.mean(found.valid == truth.valid) > 0.99
    both = found.valid & truth.valid
    quantity, wanted = (1 / np.sqrt(one.metres[both]) for one in (found, truth))
    fit = np.polyfit(quantity, wanted, 1)
    assert np.abs(np.polyval(fit, quantity) - wanted).max() < 0.02 * np.ptp(wanted)


@pytest.mark.parametrize("kind", ["noise", "mirrored", "faint"])
def test_a_frame_that_tells_little_changes_little(kind):
    ramp = np.linspace(60, 220, 18 * 26).reshape(1, 18, 26, 1) * np.ones((13, 1, 1, 3))
    first, second = ramp.copy(), ramp.copy()
    noise = np.random.default_rng(0).normal(0, 1.5, (18, 26, 1))
    if kind == "noise":
        second[0] = 120 + noise
    elif kind == "mirrored":
        second[0] = 280 - ramp[0]
    else:
        second[0] = 130 + 0.1 * (ramp[0] - 130)
    parts = [next(echo([Clip(frames=one.astype(np.uint8))])) for one in (first, second)]
    for before, after in zip(parts, in_one_range(parts), strict=True):
        spread = after.pixels[5].std() / before.pixels[5].std()
        assert 0.4 < spread < 2.1


def test_a_flat_frame_tells_nothing_of_ranges():
    flat = np.full((13, 18, 26, 3), 100, dtype=np.uint8)
    one, other = (next(echo([Clip(frames=frames)])) for frames in (flat, flat + np.uint8(50)))
    found = in_one_range([one, other])
    for before, after in zip((one, other), found, strict=True):
        torch.testing.assert_close(after.pixels, before.pixels)


def test_flow_of_a_frame_that_two_pieces_share_is_the_later_ones():
    reader = TaskReader(task=find_task("optical_flow"))

    def number_pieces(clips):
        for number, prediction in enumerate(echo(clips)):
            pixels = torch.full_like(prediction.pixels, number / 10)
            yield replace(prediction, pixels=pixels, working_pixels=pixels)

    (answer,) = reader.stream([clip_of(25)], predict=number_pieces)
    assert answer.pixels[:, 0, 0, 0].tolist() == pytest.approx([0.0] * 12 + [0.1] * 13)


def enlarged(prediction: Prediction, drawn: np.ndarray) -> Prediction:
    """A prediction that was drawn after its query, at a larger size."""
    pixels = torch.from_numpy(drawn.astype(np.float32) / 255).permute(0, 3, 1, 2)
    return replace(prediction, pixels=pixels, drawn_pixels=pixels)


@pytest.mark.parametrize("name", ["instance_segmentation", "panoptic_segmentation"])
def test_borders_of_things_are_where_they_were_drawn(name):
    """Which things there are is read at the working size: specks of the drawing are none."""
    colour = np.array([255, 0, 0], dtype=np.uint8)
    rows, columns = np.mgrid[:72, :104]
    right_of = np.broadcast_to(columns > 50 + rows % 4, (1, 72, 104))
    drawn = np.where(right_of[..., None], colour, np.uint8(0))
    drawn[0, 50:66, 10:26] = 255 - colour
    working = np.zeros((1, 18, 26, 3), dtype=np.uint8)
    working[:, :, 13:] = colour
    (soft,) = echo([Clip(frames=working, name="walk")])
    reader = TaskReader(task=find_task(name))
    answer = reader.answer(clip_of(1, height=72, width=104), [enlarged(soft, drawn)])
    assert isinstance(answer.annotation, Instances | Panoptic)
    assert np.unique(answer.annotation.ids).tolist() == [0, 1]
    np.testing.assert_array_equal(answer.annotation.ids > 0, right_of)
    assert answer.drawn_pixels is None


def test_masks_are_read_where_they_were_drawn_and_brought_to_their_querys_size():
    (soft,) = echo([clip_of(1)])
    drawn = np.zeros((1, 72, 104, 3), dtype=np.uint8)
    drawn[:, :, 52:] = 255
    clip = clip_of(1, height=144, width=208)
    reader = TaskReader(task=find_task("foreground_segmentation"))
    answer = reader.answer(clip, [enlarged(soft, drawn)])
    assert isinstance(answer.annotation, Mask)
    right = np.broadcast_to(np.arange(208) >= 104, (1, 144, 208))
    np.testing.assert_array_equal(answer.annotation.foreground, right)


def test_what_is_too_large_to_be_read_at_once_is_read_at_the_working_size(monkeypatch):
    monkeypatch.setattr("lavin_dit.pipeline.task_reader._MOST_VALUES_READ", 72 * 104 * 3 - 1)
    (soft,) = echo([clip_of(1)])
    drawn = np.full((1, 72, 104, 3), 255, dtype=np.uint8)
    reader = TaskReader(task=find_task("foreground_segmentation"))
    answer = reader.answer(clip_of(1, height=72, width=104), [enlarged(soft, drawn)])
    assert isinstance(answer.annotation, Mask)
    assert not answer.annotation.foreground.any()


def test_lines_of_a_certain_width_are_read_at_the_working_size():
    boxes = Boxes(
        corners_px=np.array([[[8, 8, 30, 24]]], dtype=np.float32),
        present=np.ones((1, 1), dtype=np.bool_),
        classes=np.array([-1], dtype=np.int32),
        size=Size(height=32, width=48),
    )
    painted, _ = BoxCodec().paint(boxes)
    (soft,) = echo([Clip(frames=painted, name="walk")])
    clip = clip_of(1, height=128, width=192)
    reader = TaskReader(task=find_task("object_detection"))
    expected = reader.answer(clip, [soft]).annotation
    assert isinstance(expected, Boxes)
    assert expected.present.sum() == 1
    found = reader.answer(clip, [enlarged(soft, np.zeros((1, 128, 192, 3), np.uint8))]).annotation
    assert isinstance(found, Boxes)
    np.testing.assert_array_equal(found.corners_px, expected.corners_px)


@pytest.mark.parametrize("name", ["object_detection", "pose_estimation"])
@pytest.mark.parametrize("side", [128, 256, 512])
def test_lines_of_enlarged_examples_are_read_as_they_were_painted(name, side):
    """The package has examples of 64 and 128 pixels; what is shown at another size is enlarged."""
    canvas, contexts = Canvas(height=side, width=side), TaskContexts()
    reader = contexts.reader(name, None, canvas=canvas, fit="pad")
    examples = load_examples(name, examples_for(canvas))
    for example in examples.queries:
        truth = reader.task.read(example.target, rule=examples.rule, key=example.key).annotation
        (painted,) = echo([Clip(frames=example.target, name="walk")])
        working = resized(painted.working_pixels, (side, side))
        shown = replace(painted, pixels=working, working_pixels=working)
        found = reader.read(shown, size=truth.shape.size).annotation
        if isinstance(found, Boxes):
            assert found.present.sum() == truth.present.sum()
        else:
            assert found.positions_px.shape == truth.positions_px.shape
    tiled = contexts.reader(name, None, canvas=canvas, fit="tile")
    assert tiled.enlarged == 1


def test_clips_are_saved_at_their_querys_speed():
    clip = replace(clip_of(25), frames_per_second=12.5)
    reader = TaskReader(task=find_task("depth_to_video"))
    (answer,) = reader.stream([clip], predict=echo)
    assert answer.result.frames_per_second == 12.5


def test_photos_are_taken_at_their_querys_size():
    (soft,) = echo([clip_of(1)])
    sharp = np.random.default_rng(0).integers(0, 256, (1, 72, 104, 3), dtype=np.uint8)
    pixels = torch.from_numpy(sharp.astype(np.float32) / 255).permute(0, 3, 1, 2)
    reader = TaskReader(task=find_task("inpainting"))
    clip = clip_of(1, height=72, width=104)
    found = reader.answer(clip, [replace(soft, pixels=pixels)]).annotation
    assert isinstance(found, Rgb)
    np.testing.assert_array_equal(found.pixels, sharp)


def test_pieces_that_were_drawn_larger_are_put_together():
    reader = TaskReader(task=find_task("video_instance_segmentation"))
    colour = np.array([255, 0, 0], dtype=np.uint8)

    def drawn(clips):
        """Frame i has an edge at 40 + i // 2; what is painted is coarser."""
        for clip in clips:
            edges = 40 + clip.frames[:, 0, 0, 0].astype(int) // 2
            sharp, coarse = (
                np.where(
                    (np.arange(width) >= edge[:, None])[:, None, :, None], colour, np.uint8(0)
                ).repeat(height, axis=1)
                for height, width, edge in ((72, 104, edges), (18, 26, edges // 4))
            )
            (prediction,) = echo([Clip(frames=coarse, name="walk")])
            yield enlarged(prediction, sharp)

    (answer,) = reader.stream([clip_of(20, height=72, width=104)], predict=drawn)
    assert isinstance(answer.annotation, Instances)
    found = (answer.annotation.ids > 0).argmax(axis=2)
    expected = 40 + np.arange(20) // 2
    np.testing.assert_array_equal(found, np.broadcast_to(expected[:, None], (20, 72)))


def test_a_continuing_task_takes_the_end():
    reader = TaskReader(task=find_task("frame_prediction"))
    (piece,) = reader.pieces(clip_of(7))
    assert piece.frames[:, 0, 0, 0].tolist() == [6]


def test_several_queries_keep_their_order_and_sizes():
    reader = TaskReader(task=find_task("video_depth"))
    clips = [clip_of(20), clip_of(3), clip_of(13)]
    answers = list(reader.stream(clips, predict=echo))
    assert [answer.clip.num_frames for answer in answers] == [20, 3, 13]


def test_a_clip_task_on_a_photo_says_what_there_is():
    reader = TaskReader(task=find_task("optical_flow"))
    with pytest.raises(ValueError, match=r"walk: optical_flow takes clips .* depth_estimation"):
        reader.pieces(clip_of(1))


@pytest.mark.parametrize("setting", ["joint", "causal"])
def test_a_photo_and_a_name_are_enough(setting):
    pipe = random_pipeline(setting)
    photo = picture(37, 61, seed=3)
    found = pipe(photo, task="depth_estimation", **QUIET)
    assert found.image.size == (61, 37)
    assert isinstance(found.annotation, Depth)
    assert found.annotation.metres.shape == (1, 37, 61)
    assert found.result.metric is False
    boxes = pipe(photo, task="object_detection", **QUIET).annotation
    assert isinstance(boxes, Boxes)
    assert (boxes.size.height, boxes.size.width) == (37, 61)


def test_a_list_of_queries_and_tasks_as_records():
    pipe = random_pipeline("causal")
    photos = [picture(20, 30, seed=seed) for seed in range(3)]
    answers = pipe(photos, task=find_task("edge_detection"), batch_size=2, **QUIET)
    alone = pipe(photos[2], task="edge_detection", **QUIET)
    torch.testing.assert_close(answers[2].pixels, alone.pixels, atol=1e-5, rtol=0)


def test_examples_are_compiled_once(monkeypatch):
    pipe = random_pipeline("causal")
    first = pipe.compile_context(task="inpainting")
    assert first.pair_names == ("pair_1", "pair_2", "pair_3")
    assert pipe.compile_context(task="inpainting") is first
    assert pipe.compile_context(task="inpainting", num_context_pairs=2).num_pairs == 2
    assert pipe.compile_context(task="inpainting", height=16, width=16) is not first


def test_a_context_with_a_task_is_read_as_that_task(pairs_folder):
    pipe = random_pipeline("causal")
    photo = picture(37, 61, seed=3)
    shown = pipe(photo, context=pairs_folder, **QUIET)
    read = pipe(photo, context=pairs_folder, task="depth_estimation", **QUIET)
    torch.testing.assert_close(shown.pixels, read.pixels)
    assert isinstance(read.annotation, Depth)
    with pytest.raises(ValueError, match="name its task"):
        _ = shown.annotation


def test_what_is_missing_or_unknown():
    pipe = random_pipeline("causal")
    with pytest.raises(ValueError, match="give a task, a context, or both"):
        pipe(picture(20, 30, seed=0), **QUIET)
    with pytest.raises(ValueError, match="there is no task 'nonsense'; there are"):
        pipe(picture(20, 30, seed=0), task="nonsense", **QUIET)
    with pytest.raises(ValueError, match="num_context_pairs must be at least 1"):
        pipe(picture(20, 30, seed=0), task="inpainting", num_context_pairs=0, **QUIET)
