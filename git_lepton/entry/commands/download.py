"""`git lepton download SOURCE[@REV] [PATH...] --to DIR`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import counted, human_bytes, progress, say
from git_lepton.settings import settings_outside
from git_lepton.workflow.fetch_without_git import fetch_without_git


def main(arguments: Sequence[str]) -> int:
    """Bring files of one version into a folder: no clone, no git, no installation. The same again brings only what changed."""
    command = parser(
        "download",
        "Bring files of one version into a folder: no clone, no git. What is there and right stays; the same command resumes.",
    )
    command.add_argument(
        "source", metavar="SOURCE[@REV]", help="https://HOST/OWNER/REPO, at a branch, tag or commit (default HEAD)"
    )
    command.add_argument("paths", nargs="*", metavar="PATH", help="paths, folders or globs; all where none is given")
    command.add_argument("--to", required=True, metavar="DIR", type=Path, help="the folder; it is made if it is not there")
    add_json(command)
    options = command.parse_args(arguments)
    arrived = fetch_without_git(settings_outside(), options.source, options.to, options.paths, progress)
    if options.json:
        print_json(asdict(arrived))
        return 0
    for path, why in arrived.left_out.items():
        say(f"left out {path}: it is {why}")
    say(
        f"{arrived.commit[:12]} is in {options.to}: brought {counted(len(arrived.brought), 'file')} "
        f"({human_bytes(arrived.bytes_received)} travelled), kept {len(arrived.kept)}"
    )
    return 0
