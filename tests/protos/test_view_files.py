"""Names of views' files: the same for the same cameras, apart on every file system, and legal there."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from occscene.view_files import view_files

RESERVED = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in "123456789")}
ODD = ["Camera", "camera", "CAMERA.001", "a/b", "a\\b", "a_b", "../../etc/passwd", "con", "NUL.png", "x. ", " x", "..."]
ODD += [
    "caf\u00e9",
    "cafe\u0301",
    "CAFE\u0301",
    "stra\u00dfe",
    "STRASSE",
    "\u212b",
    "\u00c5",
    "\uac00\ub098",
    "\u1100\u1161",
]
ODD += [
    "a" * 200,
    "\U0001d11e" * 200,
    "\u0915\u092e\u0930\u093e",
    "line\nbreak",
    "\x00",
    "a\u200bb",
    "\u202etxt",
    "50%",
    "\ud800",
]
"""Case, separators, devices, ends of dots and spaces, accents in two forms, long names, scripts, controls, no text."""

names = st.lists(
    st.one_of(
        st.sampled_from(ODD),
        st.text(st.characters(codec=None), min_size=1, max_size=200),
        st.text("aAbB_2./ \u00e9e\u0301", min_size=1, max_size=4),
    ),
    max_size=16,
)


def comparable(file: str) -> str:
    """The same for names that some file system holds for one: APFS and NTFS without case, HFS+ decomposed."""
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", file).casefold())


@settings(deadline=None)
@given(names)
def test_files_are_apart_and_legal_everywhere(cameras: list[str]) -> None:
    files = view_files(cameras)
    assert files == view_files(cameras)
    assert len({comparable(file) for file in files}) == len(cameras)
    for file in files:
        assert file.startswith("view_")
        assert file.endswith(".png")
        assert len(file.encode()) <= 143  # of the file systems in use, eCryptfs takes the fewest
        assert len(unicodedata.normalize("NFD", file).encode("utf-16-le")) // 2 <= 255  # as HFS+ counts
        assert not set(file) & set('<>:"/\\|?*')
        assert not [c for c in file if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")]
        assert unicodedata.is_normalized("NFC", file)
        stem = file.removesuffix(".png")
        assert stem == stem.rstrip(". ")
        assert file.split(".")[0].upper() not in RESERVED


@settings(deadline=None)
@given(names, st.data())
def test_a_name_that_needs_no_change_is_kept(cameras: list[str], data: st.DataObject) -> None:
    """Whatever the others are called, unless one is the same but for its case."""
    name = data.draw(st.text("abcdef0123456789_-", min_size=1, max_size=8))
    others = [other for other in cameras if comparable(view_files([other])[0]) != comparable(f"view_{name}.png")]
    place = data.draw(st.integers(0, len(others)))
    assert view_files([*others[:place], name, *others[place:]])[place] == f"view_{name}.png"


@pytest.mark.parametrize(
    ("cameras", "files"),
    [
        (["left", "Camera 1", "Camera.001"], ["view_left.png", "view_Camera 1.png", "view_Camera.001.png"]),
        (["Cam", "cam", "CAM"], ["view_Cam.png", "view_cam_2.png", "view_CAM_3.png"]),
        (["a/b", "a_b", "a_b_2"], ["view_a_b_3.png", "view_a_b.png", "view_a_b_2.png"]),
        (["cafe\u0301", "caf\u00e9"], ["view_caf\u00e9_2.png", "view_caf\u00e9.png"]),
        (["cam: left!!", "...", "con"], ["view_cam_ left__.png", "view__.png", "view_con.png"]),
        (
            ["\u0915\u092e\u0930\u093e", "\uce74\uba54\ub77c"],
            ["view_\u0915\u092e\u0930\u093e.png", "view_\uce74\uba54\ub77c.png"],
        ),
    ],
)
def test_examples(cameras: list[str], files: list[str]) -> None:
    assert list(view_files(cameras)) == files


@settings(deadline=None)
@given(names)
def test_files_can_be_written_and_found_again(cameras: list[str]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        for number, file in enumerate(view_files(cameras)):
            Path(folder, file).write_text(str(number))
        assert sorted(path.name for path in Path(folder).iterdir()) == sorted(view_files(cameras))
