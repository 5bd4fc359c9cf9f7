"""What errors tell to install is there to be installed."""

import re
from importlib.metadata import metadata
from pathlib import Path

import lavin_dit
from lavin_dit.extras import how_to_install


def test_every_extra_that_an_error_names_exists():
    sources = Path(lavin_dit.__file__).parent.rglob("*.py")
    named = set(re.findall(r"how_to_install\(['\"](\w+)", "".join(p.read_text() for p in sources)))
    assert named
    assert named <= set(metadata("lavin-dit").get_all("Provides-Extra"))


def test_the_command_is_for_those_who_installed_and_for_a_checkout():
    assert how_to_install("data") == (
        "pip install 'lavin-dit[data]' (in a checkout: pip install -e '.[data]')"
    )
