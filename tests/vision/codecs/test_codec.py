import numpy as np
import pytest

from lavin_dit.vision.codecs.codec import Annotation, key_from_json, key_to_json, sealed
from lavin_dit.vision.codecs.depth import Depth, DepthKey


def test_records_are_annotations(scene):
    assert all(isinstance(annotation, Annotation) for annotation in scene.annotations)


def test_shapes_and_types_are_checked_with_a_clear_message():
    good = np.zeros((2, 3), dtype=np.float32)
    assert sealed(good, name="A.b", shape=("t", 3), dtype=np.float32).shape == (2, 3)
    with pytest.raises(ValueError, match=r"A.b must be float32 of shape \(t, 4\), got float32 of"):
        sealed(good, name="A.b", shape=("t", 4), dtype=np.float32)
    with pytest.raises(ValueError, match="must be float64"):
        sealed(good, name="A.b", shape=("t", 3), dtype=np.float64)
    with pytest.raises(ValueError, match=r"shape \(t, h, w\)"):
        sealed(good, name="A.b", shape=("t", "h", "w"), dtype=np.float32)
    with pytest.raises(ValueError, match=r"got float32 of shape \(0, 3\)"):
        sealed(good[:0], name="A.b", shape=("t", 3), dtype=np.float32)
    assert sealed(good[:0], name="A.b", shape=("n", 3), dtype=np.float32).shape == (0, 3)


def test_only_keys_become_json():
    key = DepthKey(near_m=1.0, far_m=2.0, curve="log")
    assert key_to_json(key) == {"near_m": 1.0, "far_m": 2.0, "curve": "log"}
    assert key_from_json(DepthKey, key_to_json(key)) == key
    with pytest.raises(TypeError, match="dataclass record"):
        key_to_json({"near_m": 1.0})
    with pytest.raises(TypeError, match="dataclass record"):
        key_to_json(Depth)
