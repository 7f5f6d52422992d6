"""Bases in the words of a push: weights of other repositories that what was pushed lies on, or might not lie on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_lepton.entry.terminal import counted, human_bytes, say, warn

if TYPE_CHECKING:
    from git_lepton.settings.location import StoreLocation
    from git_lepton.transfer.upload import Uploaded


_NAMED = 5  # of the repositories whose weights might not be bases: whoever wrote a lepton.toml may name any number


def tell_bases(uploaded: Uploaded | None, target: StoreLocation, *, quiet: bool = False) -> None:
    """Say what was published of other repositories since the pusher allowed it, also where nothing else is said; and, unless `quiet`,
    which weights might not be bases, and what would let them be."""
    for base in uploaded.borrowed if uploaded else ():
        if base.allowed:
            amount = f"{counted(base.chunks, 'chunk')} ({human_bytes(base.bytes)}) of {base.repository}"
            warn(
                f"as you allowed, {amount} can now be read by all who may read {target.repository}: what you pushed lies on them"
            )
    if uploaded and uploaded.withheld and not quiet:
        first, *more = uploaded.withheld
        others = f" and {len(more) + 1 - _NAMED} more" if len(more) >= _NAMED else ""
        say(
            f"not all who may read {target.repository} may read {', '.join(uploaded.withheld[:_NAMED])}{others}: what was made from "
            f"{'them' if more else 'it'} is pushed whole. "
            f"To publish weights of {f'{first}, for example,' if more else 'it'} there: git lepton trust --base {first}"
        )
