from __future__ import annotations

import pytest

from lepton_server.wording import told, utc_day, utc_minute


def test_times_are_said_in_utc_whatever_the_millisecond() -> None:
    moment = 1_795_788_359_999  # the last millisecond of 2026-11-27 14:05
    assert utc_day(moment) == "2026-11-27"
    assert utc_minute(moment) == "2026-11-27 14:05 UTC"
    assert utc_minute(moment + 1) == "2026-11-27 14:06 UTC"


def test_a_time_that_stands_for_never_can_be_said() -> None:
    assert utc_minute(1 << 53).endswith(" UTC")


@pytest.mark.parametrize(("size", "text"), [(0, "0 bytes"), (1023, "1,023 bytes"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB")])
def test_a_size_is_said_in_the_unit_that_suits_it(size: int, text: str) -> None:
    assert told(size) == text
