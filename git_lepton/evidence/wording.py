"""Wording of verdicts: numbers and changes as people read them."""

from __future__ import annotations

from git_lepton.evidence.statistics.bounds import Bounds


def amount(value: float) -> str:
    """A number in at most four digits that matter; whole ones with their thousands apart."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:.4g}"


def change(metric: str, before: float, after: float, bounds: Bounds) -> str:
    """`accuracy fell from 0.912 to 0.904 (-0.008, between -0.015 and -0.001)`."""
    verb = "stayed at" if after == before else "fell from" if after < before else "rose from"
    values = amount(after) if after == before else f"{amount(before)} to {amount(after)}"
    return f"{metric} {verb} {values} ({signed(bounds.difference)}, between {signed(bounds.low)} and {signed(bounds.high)})"


def signed(value: float) -> str:
    """A difference, with its sign, in two digits that matter."""
    return f"{value:+.2g}" if value else "0"


def items_would_decide(count: int | None) -> str:
    """`; about 1,900 items would decide it`, in two digits that matter."""
    if count is None:
        return ""
    rounded = int(float(f"{count:.2g}"))
    return f"; about {max(rounded, count if count < 100 else rounded):,} items would decide it"
