"""The page in a browser: ``pytest -m web``, with playwright and a Chromium on the path."""

import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

pytestmark = pytest.mark.web


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    lavin = [sys.executable, "-m", "lavin_dit.cli.main", "web", "--port", "0"]
    with subprocess.Popen(lavin, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[0]
        server.terminate()


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
