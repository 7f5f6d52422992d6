"""Numbers of bytes, for people."""

from __future__ import annotations

_UNITS = ("bytes", "KiB", "MiB", "GiB", "TiB")


def told(size: float) -> str:
    """`size` bytes in the unit that suits it."""
    number, unit = float(size), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    return f"{size:,.0f} bytes" if unit == 0 else f"{number:.1f} {_UNITS[unit]}"
