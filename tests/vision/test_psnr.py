"""One definition of PSNR for scores, training and the demo."""

import math

import numpy as np
import pytest

from lavin_dit.training.validation import clip_psnr_db
from lavin_dit.vision.psnr import MAX_PSNR_DB, psnr_db


def test_psnr_is_that_of_levels_in_0_to_1():
    assert psnr_db(0.25) == pytest.approx(6.0206, abs=1e-4)
    assert psnr_db(1.0) == 0
    assert psnr_db(0.0) == psnr_db(1e-11) == MAX_PSNR_DB


def test_psnr_of_8_bit_clips():
    clip = np.full((2, 5, 7, 3), 250, dtype=np.uint8)
    assert clip_psnr_db(clip, clip) == MAX_PSNR_DB
    assert clip_psnr_db(clip, clip - 3) == pytest.approx(20 * math.log10(255 / 3))
