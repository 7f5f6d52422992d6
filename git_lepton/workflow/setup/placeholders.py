"""Tracked files that are other tools' placeholders for weights: nobody must take them for weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from git_lepton.format.placeholders import PlaceholderNotWeights, placeholder

if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository


def placeholders_in_index(git: GitRepository) -> dict[str, PlaceholderNotWeights]:
    """The files at tracked paths that git stores as another tool's placeholder, and whose it is."""
    return {blob.path: found for blob in git.small_blobs_in_index() if (found := placeholder(blob.data))}
