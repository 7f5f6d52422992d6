"""`git lepton evidence push|fetch [BASE..HEAD]`."""

from __future__ import annotations

from collections.abc import Sequence

from git_lepton.entry.arguments import parser
from git_lepton.entry.terminal import counted, say
from git_lepton.workflow.evaluation.baselines import range_of
from git_lepton.workflow.evaluation.judging import Bench
from git_lepton.workflow.evaluation.sharing import bring, send
from git_lepton.workspace import open_workspace


def main(arguments: Sequence[str]) -> int:
    """Send the evidence of versions of models to the server, or bring what it has."""
    what = arguments[0]
    texts = {"push": "Send the evidence of models to the server.", "fetch": "Bring the evidence of models from the server."}
    command = parser(f"evidence {what}", texts[what])
    command.add_argument(
        "range", nargs="?", default="HEAD", metavar="BASE..HEAD", help="the versions (default: HEAD and its target)"
    )
    command.add_argument("--remote", metavar="NAME", help="the server of this remote (default: the one that git would use)")
    options = command.parse_args(arguments[1:])
    with open_workspace() as workspace:
        base, head = range_of(workspace.git, options.range)
        trees = [tree for tree in (base, head) if tree]
        done = (send if what == "push" else bring)(Bench(workspace), trees, options.remote)
    verb = "sent" if what == "push" else "brought"
    say(f"{counted(done.travelled, 'record')} of evidence {verb}, {done.known} in all")
    return 0
