"""`git lepton share REV:PATH [--expires 7d] [--max-downloads N] | --list | --revoke ID`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from git_lepton.entry.arguments import BadArguments, add_json, parser, print_json, whole_number
from git_lepton.entry.moments import duration, moment
from git_lepton.entry.terminal import counted, human_bytes, say, show
from git_lepton.workflow.collaboration.shares import ordinary_beside, revoke, share, shares
from git_lepton.workspace import open_workspace

if TYPE_CHECKING:
    import argparse

    from git_lepton.wire.collaboration import ShareInfo
    from git_lepton.workspace import Workspace


def main(arguments: Sequence[str]) -> int:
    """Make a link to weights of one version, list the links, or end one."""
    command = parser(
        "share", "Make a link to weights of one version, for somebody without an account. Its address is shown once."
    )
    command.add_argument(
        "version", nargs="?", metavar="REV:PATH", help="a file, a folder or a glob of a version; REV: for all of it"
    )
    command.add_argument(
        "--expires",
        type=duration,
        default=duration("7d"),
        metavar="TIME",
        help="how long it is good: 90s, 15m, 24h, 7d (default: 7d)",
    )
    command.add_argument("--max-downloads", type=whole_number, metavar="COUNT", help="how often each file may be downloaded")
    choice = command.add_mutually_exclusive_group()
    choice.add_argument("--list", action="store_true", help="list the shares of the repository")
    choice.add_argument("--revoke", type=whole_number, metavar="ID", help="end a share")
    command.add_argument("--remote", metavar="NAME", help="the repository of this remote (default: where a push goes)")
    add_json(command)
    options = command.parse_args(arguments)
    if (options.version is None) != (options.list or options.revoke is not None):
        raise BadArguments("name one version, or --list, or --revoke ID", "git lepton share main:models/big.safetensors")
    with open_workspace() as workspace:
        if options.list:
            _list(shares(workspace, options.remote), as_json=options.json)
        elif options.revoke is not None:
            revoke(workspace, options.revoke, options.remote)
            say(f"share {options.revoke} gives nothing any more")
        else:
            _make(workspace, options)
    return 0


def _make(workspace: Workspace, options: argparse.Namespace) -> None:
    link, files, left_out = share(workspace, options.version, options.expires, options.max_downloads, options.remote)
    ordinary = ordinary_beside(workspace, options.version, {file.path for file in files} | left_out.keys())
    if options.json:
        print_json(asdict(link) | {"files": [asdict(file) for file in files], "left_out": left_out, "ordinary": ordinary})
        return
    for path, why in left_out.items():
        say(f"left out {path}: it {why}")
    size = human_bytes(sum(file.size for file in files))
    say(f"share {link.id}: {counted(len(files), 'file')}, {size}, for whoever has this link, until {moment(link.expires)}")
    if ordinary:
        some = f"{', '.join(ordinary[:3])}{', ...' if ordinary[3:] else ''}"
        say(
            f"not in it: {counted(len(ordinary), 'ordinary file')} ({some}); a link gives weights alone, so send these by another way"
        )
    show(f"{link.url}")


def _list(found: Sequence[ShareInfo], *, as_json: bool) -> None:
    if as_json:
        print_json([asdict(item) for item in found])
        return
    for item in found:
        limit = "" if item.max_downloads is None else f" (at most {item.max_downloads} of each)"
        downloads = f"{counted(item.downloads, 'download')}{limit}"
        show(f"{item.id}  {item.revision}  by {item.by}  {counted(item.files, 'file')}  {downloads}  {_state(item)}")


def _state(item: ShareInfo) -> str:
    if item.revoked is not None:
        return f"revoked {moment(item.revoked)}"
    word = "until" if item.expires > time.time() * 1000 else "expired"
    return f"{word} {moment(item.expires)}"
