"""Licences: read from the files of packages, and what they allow."""

import pytest

from lavin_dit.datasets.real.licences import LicenceFile, terms_of

DEBIAN = """\
Format: 1.0

Files: *
Copyright: 2002 Everybody
License: GPL-2+
 The text
 .
 of the licence.

# a comment
Files: art/*.png
       art/lion.jpg
Copyright: 2004
           A. Painter <a@b.org>
License: CC-BY-SA-3.0
"""
READ_ME = """\
Copyright: Urse
License: Public Domain
Source: File:Rome.jpg
Files:
wonders/rome.webp
rhine.webp

Copyright: Kurt
License: CC-BY-SA 4.0
Files: nile.webp
"""


def test_the_last_stanza_that_fits_decides():
    file = LicenceFile(DEBIAN, name="copyright")
    assert file.of("src/main.c").name == "GPL-2+"
    assert file.of("art/x/tiger.png").name == "CC-BY-SA-3.0"
    assert file.of("art/tiger.svg").name == "GPL-2+"
    assert file.of("art/tiger.png").attribution == "2004 A. Painter <a@b.org>"


def test_the_ending_of_a_picture_does_not_matter():
    assert LicenceFile(DEBIAN, name="copyright").of("art/lion.webp").name == "CC-BY-SA-3.0"


def test_a_read_me_speaks_of_its_own_folder():
    file = LicenceFile(READ_ME, name="a/README", folder="a/")
    assert file.of("a/wonders/rome.webp").name == "Public-Domain"
    assert file.of("a/wonders/rome.webp").attribution == "Urse, File:Rome.jpg"
    assert file.of("a/nile.webp").name == "CC-BY-SA-4.0"
    assert file.of("b/nile.webp") is None
    assert file.of("a/danube.webp") is None


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("CC0-1.0", "open"),
        ("CC-BY-2.0", "open"),
        ("CC-BY-SA-2.5", "share-alike"),
        ("CC-BY-NC-SA-4.0", "unclear"),
        ("Public-Domain", "open"),
        ("GPL-3+", "copyleft"),
        ("LGPL-2.1", "copyleft"),
        ("GPL-3 or CC-BY-3.0", "open"),
        ("CC0-1.0 and CC-BY-SA-3.0", "share-alike"),
        ("BSD and not stated", "unclear"),
        ("not stated", "unclear"),
    ],
)
def test_terms(name, terms):
    assert terms_of(name) == terms
