"""The small texts that other tools leave where they did not bring a large file. They are never weights."""

from __future__ import annotations

from git_lepton.errors import WrongUse
from git_lepton.format.pointer import MAX_POINTER_BYTES, undisguised

_BEGINNINGS = (
    # what the text begins with, the tool, what brings the file
    (b"version https://git-lfs.github.com/spec/", "git-lfs", "git lfs pull"),
    (b"version https://hawser.github.com/spec/", "git-lfs", "git lfs pull"),
    (b"version http://git-media.io/v/", "git-lfs", "git lfs pull"),
    (b"# xet version ", "git-xet", "git xet checkout"),
    (b"/annex/objects/", "git-annex", "git annex get"),
)


class PlaceholderNotWeights(WrongUse):
    """A file is another tool's placeholder for weights that are not on this machine."""

    def __init__(self, tool: str, command: str) -> None:
        super().__init__(f"this is {tool}'s pointer, not the weights", f"Run `{command}` first, then add the file again.")
        self.tool = tool
        self.command = command


def placeholder(data: bytes) -> PlaceholderNotWeights | None:
    """What is wrong with taking these bytes for weights: whose placeholder they are. None for any other content."""
    if len(data) > MAX_POINTER_BYTES:
        return None
    text = undisguised(data)
    return next((PlaceholderNotWeights(tool, how) for beginning, tool, how in _BEGINNINGS if text.startswith(beginning)), None)
