"""Bills of bytes as they are shown: a table for people, plain numbers for programs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from git_lepton.entry.terminal import human_bytes
from git_lepton.store.accounting import Bill

HEADINGS = ("file", "unique", "delta", "stored")


def numbers(bill: Bill) -> dict[str, int]:
    """The bill for JSON, all in bytes."""
    return {"logical": bill.logical, "unique": bill.unique, "delta": bill.delta, "stored": bill.stored}


def table(rows: Iterable[tuple[Bill, str, bool]], heading: str, total: str = "in all") -> list[str]:
    """Lines of a table: each row's bill, its label, and whether its weights are here (where not, only the file's size is known).
    The last line sums up."""
    kept = list(rows)
    lines = ["  ".join(f"{name:>8}" for name in HEADINGS) + f"  {heading}"]
    lines += [_line(bill, label, here=here) for bill, label, here in kept]
    absent = sum(not here for _, _, here in kept)
    rest = f"; {absent} {'is' if absent == 1 else 'are'} not here" if absent else ""
    return [*lines, _line(sum((bill for bill, _, _ in kept), Bill()), total + rest)]


def _line(bill: Bill, label: str, *, here: bool = True) -> str:
    cells: Sequence[int | None] = (bill.logical, *((bill.unique, bill.delta, bill.stored) if here else (None, None, None)))
    shown = "".join(letter if letter.isprintable() else "?" for letter in label)
    return "  ".join(f"{'-' if cell is None else human_bytes(cell):>8}" for cell in cells) + f"  {shown}"
