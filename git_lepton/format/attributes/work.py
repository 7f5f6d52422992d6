"""A bound for what reading somebody else's attribute files may cost."""

from __future__ import annotations

from git_lepton.errors import WrongUse

WHOLE = 10_000_000  # some seconds; git's own sources need a hundredth of it


class TooMuchWork(WrongUse):
    """Attribute files with so many patterns for so many paths that nobody should be made to read them."""


class Work:
    """What may still be done. One unit is about one pattern tried on one path."""

    __slots__ = ("left", "limit")

    def __init__(self, limit: int = WHOLE) -> None:
        self.limit = self.left = limit

    def spend(self, units: int) -> None:
        """Raises TooMuchWork once more is spent than there was."""
        self.left -= units
        if self.left < 0:
            raise TooMuchWork(
                f"the .gitattributes files have too many patterns for so many paths (more than {self.limit:,} steps)",
                "Use fewer patterns, or simple ones such as *.safetensors.",
            )
