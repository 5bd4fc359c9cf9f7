"""The page in a browser: ``pytest -m web``, with playwright and a Chromium on the path."""

import shutil
from collections.abc import Iterator

import numpy as np
import pytest

from lavin_dit.pipeline.clips import Clip, save_clip
from pictures import picture
from served_page import served_page

pytestmark = pytest.mark.web


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served_page() as address:
        yield address


@pytest.fixture
def tab(address):
    playwright = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no chromium on the path")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        tab = browser.new_page()
        requests: list[str] = []
        tab.on("request", lambda request: requests.append(request.url))
        tab.goto(address)
        yield tab
        browser.close()
    elsewhere = [url for url in requests if not url.startswith((address, "data:", "blob:"))]
    assert not elsewhere, "the page asks nothing of the network"


@pytest.mark.parametrize(("task", "seen"), [("depth_estimation", "img"), ("video_depth", "video")])
def test_a_newcomer_sees_a_task_done(tab, task, seen):
    tab.get_by_label("Task").first.click()
    tab.get_by_role("option", name=f"{task}:").first.click()
    tab.wait_for_timeout(2000)
    tab.get_by_role("button", name="Do it").click()
    tab.wait_for_selector(f"text={task}, from 4 packaged pairs, in ", timeout=60_000)
    for label in ("Painted", "What it means", "The truth"):
        place = tab.locator(".block", has=tab.get_by_text(label, exact=True)).locator(seen)
        place.first.wait_for(state="visible")


def test_a_clip_of_ones_own_takes_the_place_of_the_packaged_query(tab, tmp_path):
    frames = np.stack([picture(48, 64, seed=3)] * 3)
    clip = save_clip(Clip(frames=frames, frames_per_second=8.0), tmp_path / "mine.mp4")
    tab.wait_for_timeout(3000)  # until the packaged query is there
    tab.get_by_role("tab", name="Clip").click()
    tab.locator("input[type=file][accept^='video']").set_input_files(clip)
    tab.wait_for_timeout(2000)
    tab.get_by_role("button", name="Do it").click()
    tab.wait_for_selector("text=depth_estimation, from 4 packaged pairs, in ", timeout=60_000)
    painted = tab.locator(".block", has=tab.get_by_text("Painted", exact=True)).locator("video")
    painted.first.wait_for(state="visible")
    assert not tab.get_by_text("The truth", exact=True).is_visible()
