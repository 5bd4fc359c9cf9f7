import numpy as np
import pytest

from lavin_dit.vision.codecs.coco_joints import JOINT_NAMES, MIRRORED_JOINTS, SKELETON
from lavin_dit.vision.codecs.degradation import degrade
from lavin_dit.vision.codecs.keypoints import KeypointCodec, KeypointKey, Keypoints
from lavin_dit.vision.geometry import Size

SIZE = Size(height=167, width=231)


def grid_person(offset, visibility=2, spacing=19.0):
    """Joints on a loose grid, none of them hiding another, at fractions of a pixel."""
    index = np.arange(17)
    place = np.stack([index % 4, index // 4], axis=-1) * spacing
    wobble = np.random.default_rng(0).uniform(-0.5, 0.5, (17, 2))
    return place + offset + wobble, np.full(17, visibility, dtype=np.uint8)


def keypoints(people, size=SIZE):
    positions, visibility = zip(*people, strict=True)
    return Keypoints(
        positions_px=np.stack(positions)[None].astype(np.float32),
        visibility=np.stack(visibility)[None],
        size=size,
    )


def reread(truth, seed=0, **options):
    codec = KeypointCodec()
    picture, key = codec.paint(truth)
    degraded = degrade(picture, generator=np.random.default_rng(seed))
    return codec.read(degraded, **({"key": key} | options))


@pytest.mark.parametrize("visibility", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_joints_that_do_not_hide_each_other_are_read_to_a_fraction_of_a_pixel(visibility, seed):
    truth = keypoints(
        [grid_person([30 + 0.3 * seed, 40], visibility), grid_person([140, 40], visibility)]
    )
    read = reread(truth, seed)
    np.testing.assert_array_equal(read.visibility, truth.visibility)
    error = np.linalg.norm(read.positions_px - truth.positions_px, axis=-1)
    assert error.max() < 1
    assert error.mean() < 0.35


def test_a_stronger_blur_loses_no_joint():
    truth = keypoints([grid_person([30, 40], 1), grid_person([140, 40], 2)])
    codec = KeypointCodec()
    picture, key = codec.paint(truth)
    generator = np.random.default_rng(0)
    read = codec.read(degrade(picture, generator=generator, noise_levels=8.0, blur_px=1.0), key=key)
    np.testing.assert_array_equal(read.visibility, truth.visibility)
    assert np.linalg.norm(read.positions_px - truth.positions_px, axis=-1).max() < 1


def test_unlabelled_joints_stay_unlabelled():
    positions, visibility = grid_person([30, 40])
    visibility[[0, 7, 16]] = 0
    read = reread(keypoints([(positions, visibility)]))
    np.testing.assert_array_equal(read.visibility[0, 0], visibility)


def test_a_disc_partly_under_another_is_still_found():
    positions, visibility = grid_person([30, 40])
    positions[10] = positions[9] + [4.0, 1.0]
    read = reread(keypoints([(positions, visibility)]))
    error = np.linalg.norm(read.positions_px[0, 0, [9, 10]] - positions[[9, 10]], axis=-1)
    assert (read.visibility[0, 0, [9, 10]] == 2).all()
    assert error.max() < 1.2


def test_joints_at_the_border_are_found():
    positions, visibility = grid_person([30, 40])
    positions[0] = [0.5, 0.5]
    positions[4] = [SIZE.width - 1.0, 60.0]
    read = reread(keypoints([(positions, visibility)]))
    error = np.linalg.norm(read.positions_px[0, 0, [0, 4]] - positions[[0, 4]], axis=-1)
    assert error.max() < 1.5


def test_people_are_found_without_a_key_up_to_their_order():
    truth = keypoints([grid_person([140, 40]), grid_person([30, 40])])
    read = reread(truth, key=None)
    assert read.visibility.shape == (1, 2, 17)
    rows = [
        np.linalg.norm(read.positions_px[0] - person, axis=-1).mean(axis=-1).argmin()
        for person in truth.positions_px[0]
    ]
    assert sorted(rows) == [0, 1]
    error = np.linalg.norm(read.positions_px[0, rows] - truth.positions_px[0], axis=-1)
    assert error.max() < 1


def test_nobody_is_made_up_out_of_a_ring_that_is_misread():
    """Small people, whose discs cover one another: all that is read has joints enough."""
    generator = np.random.default_rng(0)
    size = Size(height=64, width=64)
    few = 0
    for _ in range(12):
        people = [
            grid_person(generator.uniform(4, 30, 2), spacing=generator.uniform(5, 8))
            for _ in range(2)
        ]
        codec = KeypointCodec()
        picture, _ = codec.paint(keypoints(people, size))
        read = codec.read(picture)
        few += int(((read.visibility > 0).sum(axis=-1) < 4).sum())
        assert read.visibility.shape[1] >= 1
    assert few == 0


def test_more_people_than_colours_share_them_when_apart():
    size = Size(height=330, width=380)
    people = [
        grid_person([16 + 74 * column, 16 + 104 * row], spacing=12.0)
        for row in range(3)
        for column in range(5)
    ]
    truth = keypoints(people, size)
    _, key = KeypointCodec().paint(truth)
    assert len(set(key.colours)) == 12
    read = reread(truth)
    error = np.linalg.norm(
        read.positions_px[0, :, None] - truth.positions_px[0, None], axis=-1
    ).mean(axis=-1)
    assert error.min(axis=0).max() < 1


def test_nobody_is_painted_black_and_read_as_nobody():
    nobody = Keypoints(
        positions_px=np.zeros((2, 0, 17, 2), dtype=np.float32),
        visibility=np.zeros((2, 0, 17), dtype=np.uint8),
        size=SIZE,
    )
    picture, key = KeypointCodec().paint(nobody)
    assert picture.max() == 0
    assert KeypointCodec().read(picture, key=key).visibility.shape == (2, 0, 17)
    assert KeypointCodec().read(picture).visibility.shape == (2, 0, 17)


def test_the_joints_of_coco_are_consistent():
    assert len(JOINT_NAMES) == 17
    for joint, other in enumerate(MIRRORED_JOINTS):
        swapped = JOINT_NAMES[joint].replace("left", "?").replace("right", "left")
        assert JOINT_NAMES[other] == swapped.replace("?", "right")
    limbs = {frozenset(limb) for limb in SKELETON}
    assert len(limbs) == 19
    mirrored = {frozenset(MIRRORED_JOINTS[joint] for joint in limb) for limb in limbs}
    assert mirrored == limbs


def test_bad_keypoints_and_keys_are_refused():
    positions, visibility = grid_person([30, 40])
    with pytest.raises(ValueError, match="0, 1 or 2, got 3"):
        keypoints([(positions, np.full(17, 3, dtype=np.uint8))])
    positions[3] = np.nan
    with pytest.raises(ValueError, match="finite wherever"):
        keypoints([(positions, visibility)])
    visibility[3] = 0
    truth = keypoints([(positions, visibility)])
    with pytest.raises(ValueError, match="2 people cannot paint 1"):
        KeypointCodec().paint(truth, key=KeypointKey(colours=(0, 1)))
    with pytest.raises(ValueError, match="0 to 11"):
        KeypointKey(colours=(12,))
    with pytest.raises(ValueError, match="at least 2"):
        KeypointCodec(disc_px=1.5)
