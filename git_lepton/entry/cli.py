"""`git lepton COMMAND`: finds the command in one table, loads it, runs it inside the one boundary for errors."""

from __future__ import annotations

import sys

from git_lepton.entry.boundary import guarded
from git_lepton.errors import WrongUse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HERE = "git_lepton.entry.commands."


class UnknownCommand(WrongUse):
    """There is no such command."""


class Command:
    """One row of the table. `module` has main(arguments) -> exit code and is imported when the command is run."""

    __slots__ = ("group", "module", "name", "summary")

    def __init__(self, group: str, name: str, summary: str, module: str = "") -> None:
        self.group, self.name, self.summary = group, name, summary
        self.module = module or _HERE + name.replace("-", "_")

    def load(self) -> Callable[[Sequence[str]], int]:
        import importlib

        main: Callable[[Sequence[str]], int] = importlib.import_module(self.module).main
        return main


_START, _DAILY, _WEIGHTS, _CARE = "Start", "See", "Move weights", "Look after"
_MODELS = "Evaluate models"
_TOGETHER, _SERVERS = "Work together", "Servers and hosts"
_BY_GIT = ""  # started by git; not listed
COMMANDS = (
    Command(_START, "quickstart", "the whole story on this machine, on an embedded server"),
    Command(_START, "install", "set up filters and hooks, for you or for one repository"),
    Command(_START, "uninstall", "take back what install wrote"),
    Command(_START, "track", "keep files that match a pattern as weights"),
    Command(_START, "untrack", "keep them as ordinary files again"),
    Command(_START, "import", "bring a published model in, as a base for others", f"{_HERE}import_model"),
    Command(_START, "completion", "print what completes these commands in bash, zsh or fish"),
    Command(_DAILY, "status", "which tracked files are here, and what a push would send"),
    Command(_DAILY, "ls-files", "tracked files with their sizes and names of content"),
    Command(_DAILY, "env", "versions, settings, and which store is used and why"),
    Command(_DAILY, "doctor", "find out what is wrong, and say what to do"),
    Command(_WEIGHTS, "push", "send weights to the store without moving a ref"),
    Command(_WEIGHTS, "fetch", "bring weights from the store"),
    Command(_WEIGHTS, "pull", "fetch, and write the files over their pointers"),
    Command(_WEIGHTS, "checkout", "write the files over their pointers"),
    Command(_WEIGHTS, "download", "bring files of one version without clone and without git"),
    Command(_CARE, "fsck", "check that every version can be restored"),
    Command(_CARE, "prune", "free disk space: forget weights that nothing here needs"),
    Command(_CARE, "du", "what the weights take, on this disk and in all"),
    Command(_MODELS, "eval", "run evaluations on versions of models, and keep what they find"),
    Command(_MODELS, "gate", "judge versions by their gates before they land; gate doctor: what gates can see"),
    Command(_MODELS, "compare", "metrics of versions side by side"),
    Command(_MODELS, "best", "the best version of a model, or a tie within the noise"),
    Command(_MODELS, "hooks", "check files before a commit and models before a push"),
    Command(_MODELS, "report", "what a range changes in models, for people who review it"),
    Command(_MODELS, "verify", "the check before a merge: weights are stored, gates pass"),
    Command(_TOGETHER, "share", "a link to weights of one version, for somebody without an account"),
    Command(_TOGETHER, "lock", "keep paths for yourself: others' pushes that change them are refused"),
    Command(_TOGETHER, "unlock", "let others change them again"),
    Command(_TOGETHER, "locks", "what is locked, by whom, since when"),
    Command(_SERVERS, "repo", "repositories of a server: list, make, move, delete and bring back"),
    Command(_SERVERS, "access", "who may do what in a repository, and why"),
    Command(_SERVERS, "grant", "give somebody a role in a repository"),
    Command(_SERVERS, "revoke", "take it back"),
    Command(_SERVERS, "rule", "who may move which branches and tags"),
    Command(_SERVERS, "evidence", "what checks said of a commit, which rules can ask for"),
    Command(_SERVERS, "org", "your organisations, their members and teams"),
    Command(_SERVERS, "token", "tokens of your account: make, list, end, renew"),
    Command(_SERVERS, "login", "keep a token for a server"),
    Command(_SERVERS, "trust", "approve a host that a lepton.toml names"),
    Command(_BY_GIT, "hook", "", "lepton_hooks.command"),
    Command(_BY_GIT, "pre-push", "", "git_lepton.entry.pre_push"),
    Command(_BY_GIT, "merge-driver", "", "git_lepton.entry.merge_driver"),
)
_EXIT_CODES = (
    "0 done, 1 a check failed, 2 wrong use, 3 inconclusive, 4 weights or evidence missing, 5 network or server, 6 not allowed, "
    "7 corrupt data, 70 our bug, 130 interrupted"
)


def main(argv: Sequence[str]) -> int:
    """Run the command that these arguments (without the program's name) say. Returns the exit code."""
    if "--json" in argv:
        from git_lepton.entry.json_errors import told_as_json

        return guarded(lambda: told_as_json(lambda: run(list(argv))))
    return guarded(lambda: run(list(argv)))


def run(arguments: list[str]) -> int:
    """As `main`, but errors come out as they are."""
    name = arguments[0] if arguments else "help"
    if name in ("help", "-h", "--help"):
        if len(arguments) > 1:
            return run([*arguments[1:], "-h"])
        sys.stdout.write(overview())
        return 0
    if name in ("--version", "version"):
        from git_lepton import __version__

        sys.stdout.write(f"git-lepton {__version__}\n")
        return 0
    command = find(name).load()
    try:
        return command(arguments[1:])
    except SystemExit as end:  # argparse, after -h
        return end.code if isinstance(end.code, int) else 0


def find(name: str) -> Command:
    """The row of this name. Raises UnknownCommand, with what was perhaps meant."""
    for command in COMMANDS:
        if command.name == name:
            return command
    from difflib import get_close_matches

    near = get_close_matches(name, [command.name for command in COMMANDS if command.group], n=1)
    hint = f"Did you mean: git lepton {near[0]}" if near else "git lepton help lists all commands."
    raise UnknownCommand(f"{name!r} is not a command of git-lepton", hint)


def overview() -> str:
    """The list of commands, in groups."""
    lines = ["usage: git lepton COMMAND [ARGUMENT...]", ""]
    for group in dict.fromkeys(command.group for command in COMMANDS if command.group):
        lines.append(group)
        lines += [f"  {command.name:<12}{command.summary}" for command in COMMANDS if command.group == group]
        lines.append("")
    lines += ["git lepton COMMAND -h says more about a command.", f"Exit codes: {_EXIT_CODES}.", ""]
    return "\n".join(lines)
