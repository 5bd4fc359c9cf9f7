"""The ST-VAE with its opponent: two processes do what one does, with every strategy.

The adaptive weight is the exception: each process has that of its own samples, so that with it two
processes train towards something slightly different from what one does.

The loss has kinks (hinge, rectifiers), and AdamW's first steps are as long for a gradient of
rounding errors as for any. So one process with micro batches of 1, 2 and 4 clips has first
gradients alike to six digits, totals of four steps to 1e-4, and norms of gradients that differ by
2.5 % at the fourth. Two processes are held to a little more than that.
"""

import math
from pathlib import Path

import pytest

import two_st_vae_processes
from lavin_dit.training.run_folder import read_metrics
from two_processes import launch_two
from two_st_vae_processes import FIRST, LAST, train

TOLERANCE = {"rel": 1e-3, "abs": 1e-4}
OF_NORMS = {"rel": 5e-2}
STRATEGIES = ("ddp", "fsdp", "zero2")
TERMS = ("squared_error", "l1", "perceptual", "kl", "adversarial", "discriminator", "psnr_db")
OVER_ALL = ("total", "gradient_norm/st_vae", "gradient_norm/discriminator")
"""What is logged of all processes; terms are logged of the first one's samples."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Runs of one process and of two."""
    folder = tmp_path_factory.mktemp("st_vae_processes")
    train(folder / "whole", "ddp", LAST + 1)
    launch_two(Path(two_st_vae_processes.__file__), str(folder), *STRATEGIES)
    return folder


def logged(folder, name):
    return {line["step"]: line[name] for line in read_metrics(folder) if name in line}


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_two_processes_have_the_losses_and_gradients_of_one(folder, strategy):
    for name in OVER_ALL:
        found, whole = logged(folder / strategy, name), logged(folder / "whole", name)
        assert list(found) == list(range(1, LAST + 1))
        assert found[1] == pytest.approx(whole[1], rel=1e-5), name
        close = TOLERANCE if name == "total" else OF_NORMS
        assert found == pytest.approx({step: whole[step] for step in found}, **close), name


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_one_process_goes_on_where_two_were(folder, strategy):
    train(folder / strategy, "ddp", LAST + 1)
    for name in OVER_ALL:
        whole = logged(folder / "whole", name)
        close = TOLERANCE if name == "total" else OF_NORMS
        assert logged(folder / strategy, name) == pytest.approx(whole, **close), name
    for name in TERMS:
        whole = logged(folder / "whole", f"validation/{name}")[LAST + 1]
        found = logged(folder / strategy, f"validation/{name}")[LAST + 1]
        assert found == pytest.approx(whole, rel=1e-2, abs=1e-3), name


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_the_adaptive_weight_is_each_process_own_and_all_stays_finite(folder, strategy):
    for name in (*OVER_ALL, "adversarial_weight"):
        values = logged(folder / f"adaptive-{strategy}", name)
        assert list(values) == list(range(1, FIRST + 1))
        assert all(math.isfinite(value) for value in values.values()), name
    assert values[FIRST] > 0
    first = logged(folder / f"adaptive-{strategy}", "total")[1]
    assert first == pytest.approx(logged(folder / "whole", "total")[1], **TOLERANCE)
