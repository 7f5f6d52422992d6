"""What reaches a terminal or a log does nothing but stand there."""

from __future__ import annotations

import json
import unicodedata

import pytest

from git_lepton.format.visible import visible, visible_json


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words, größe, 模型, 👩‍🔬", "plain words, größe, 模型, 👩‍🔬"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b31m", r"\x9b31m"),
        ("a\u202egpj.exe", r"a\u202egpj.exe"),
        ("two\u2028lines\x85", r"two\u2028lines\x85"),
        ("no \udcff utf-8", r"no \xff utf-8"),
        ("half \ud800", r"half \ud800"),
        ("\U000e0041", r"\U000e0041"),
    ],
)
def test_what_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_no_character_that_moves_or_hides_anything_passes() -> None:
    for code in range(0x110000):
        character = chr(code)
        kind = unicodedata.category(character)
        if kind in ("Cc", "Zl", "Zp", "Cs") or unicodedata.bidirectional(character) in (
            "LRE",
            "RLE",
            "PDF",
            "LRO",
            "RLO",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        ):
            assert visible(character).isascii(), hex(code)
        elif kind[0] in "LNP":
            assert visible(character) == character, hex(code)


def test_json_stays_the_same_value_and_shows_nothing_raw() -> None:
    value = {"a\u202eb": ["\x1b\x7f\x9b\n", "\U000e0041", "größe 模型", "\udcff\ud800"]}
    text = visible_json(json.dumps(value, indent=2, ensure_ascii=False))
    assert json.loads(text) == value
    assert visible(text.replace("\n", "")) == text.replace("\n", "")
    assert "größe 模型" in text
    assert text.count("\n") == json.dumps(value, indent=2).count("\n")
