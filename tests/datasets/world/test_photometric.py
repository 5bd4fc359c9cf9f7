"""Flow points the right way: the next frame, fetched back along it, is the frame itself.

Also after it was painted and read, which is what a network learns from.
"""

import numpy as np
import pytest

from lavin_dit.datasets.world import World
from lavin_dit.datasets.world.arrays import VISIBLE
from lavin_dit.vision.geometry import Size
from lavin_dit.vision.task import find_task_of_length

HEIGHT, WIDTH, NUM_FRAMES = 71, 97, 5


def fetched(picture, x, y):
    """A picture's levels at continuous coordinates, bilinear between the centres of pixels."""
    column, row = np.clip(x - 0.5, 0, WIDTH - 1.001), np.clip(y - 0.5, 0, HEIGHT - 1.001)
    left, top = column.astype(int), row.astype(int)
    right_share, below_share = (column - left)[:, None], (row - top)[:, None]
    above = picture[top, left] * (1 - right_share) + picture[top, left + 1] * right_share
    below = picture[top + 1, left] * (1 - right_share) + picture[top + 1, left + 1] * right_share
    return above * (1 - below_share) + below * below_share


def errors(frames, flow, seen):
    """Mean difference of levels along the flow, without it, and against it, where things move."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH] + 0.5
    found = []
    for way in (1, 0, -1):
        apart = []
        for frame in range(NUM_FRAMES - 1):
            moving = seen[frame] & (np.linalg.norm(flow.pixels[frame], axis=-1) > 1)
            x, y = np.moveaxis(way * flow.pixels[frame][moving], -1, 0)
            there = fetched(frames[frame + 1], columns[moving] + x, rows[moving] + y)
            apart.append(np.abs(there - frames[frame][moving]))
        found.append(np.concatenate(apart).mean())
    return found


@pytest.mark.parametrize("index", [5, 9])
def test_the_next_frame_along_the_flow_is_the_frame(index):
    world = World(num_frames=NUM_FRAMES, size=Size(height=HEIGHT, width=WIDTH))
    clip, sample = world.clip(index), world[index]
    task = find_task_of_length("optical_flow", NUM_FRAMES)
    generator = np.random.default_rng(0)
    rule = task.draw_rule([sample], generator=generator)
    pair = task.render(sample, rule=rule, generator=generator)
    read = task.read(pair.target, rule=rule, key=pair.key).annotation
    seen = clip.forward_occlusion == VISIBLE
    frames = sample.rgb.pixels.astype(np.float64)
    for flow in (clip.forward, read):
        along, still, against = errors(frames, flow, seen)
        assert along < 0.6 * min(still, against)
