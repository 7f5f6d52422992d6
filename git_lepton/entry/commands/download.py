"""`git lepton download SOURCE[@REV]|LINK [PATH...] --to DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import counted, human_bytes, progress, say
from git_lepton.settings import settings_outside
from git_lepton.workflow.download.repository import fetch_without_git
from git_lepton.workflow.download.share import fetch_share, is_link


def main(arguments: Sequence[str]) -> int:
    """Bring files of one version into a folder: no clone, no git, no installation. The same again brings only what changed."""
    command = parser(
        "download",
        "Bring files of one version into a folder, without git or a clone. Files that are already right stay; the same command resumes.",
    )
    command.add_argument(
        "source",
        metavar="SOURCE[@REV]",
        help="https://HOST/OWNER/REPO, at a branch, tag or commit (default HEAD); or the link of a share",
    )
    command.add_argument("paths", nargs="*", default=[], metavar="PATH", help="paths, folders or globs (default: all)")
    command.add_argument("--to", required=True, metavar="DIR", type=Path, help="the folder; it is created if it does not exist")
    add_json(command)
    options = command.parse_args(arguments)
    fetch = fetch_share if is_link(options.source) else fetch_without_git
    arrived = fetch(settings_outside(), options.source, options.to, options.paths, progress)
    if options.json:
        print_json(asdict(arrived))
        return 0
    for path, why in arrived.left_out.items():
        say(f"left out {path}: it is {why}")
    version = arrived.commit if is_link(options.source) else arrived.commit[:12]
    say(
        f"{version} is in {options.to}: brought {counted(len(arrived.brought), 'file')} "
        f"({human_bytes(arrived.bytes_received)} travelled), kept {len(arrived.kept)}"
    )
    return 0
