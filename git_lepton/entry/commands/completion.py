"""`git lepton completion bash|zsh|fish`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from git_lepton.entry.arguments import parser
from git_lepton.entry.completion import SHELLS, script


def main(arguments: Sequence[str]) -> int:
    """Print the script that completes `git lepton` in a shell."""
    command = parser("completion", "Print the script that completes `git lepton` in a shell; its first lines say where it goes.")
    command.add_argument("shell", choices=SHELLS, help="the shell to print it for")
    options = command.parse_args(arguments)
    sys.stdout.write(script(options.shell))
    return 0
