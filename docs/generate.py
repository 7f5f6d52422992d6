"""Writes commands.md, server-commands.md, settings.md, errors.md and git-lepton.1 out of the code. A test compares them."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import io
import os
import pkgutil
from pathlib import Path

from manual_page import manual_page

import git_lepton
from git_lepton.entry.arguments import commands_below, parser_of
from git_lepton.entry.cli import COMMANDS, run
from git_lepton.errors import LeptonError
from git_lepton.settings import SETTINGS
from git_lepton.wire.protocol import ERRORS
from lepton_server.cli import parser

HERE = Path(__file__).parent
_MADE = "<!-- made by docs/generate.py; do not edit -->\n"
_KINDS = {
    "size": "a number of bytes; k, m and g stand for powers of 1024",
    "count": "a whole number, at least 1",
    "flag": "true or false",
    "codecs": "codec ids, separated by commas",
    "text": "text",
    "secret": "one word; white space at its ends is ignored",
}


def commands() -> str:
    """Each command with its help."""
    parts = [_MADE, "# Commands\n", _PATTERNS]
    os.environ |= {"COLUMNS": "110", "NO_COLOR": "1"}
    for command in COMMANDS:
        if command.group:
            for words in [[command.name], *([command.name, name] for name in commands_below(parser_of(command.load())))]:
                out = io.StringIO()
                with contextlib.redirect_stdout(out):
                    run([*words, "-h"])
                text = "".join(f"    {line}".rstrip() + "\n" for line in out.getvalue().splitlines())
                parts.append(f"## git lepton {' '.join(words)}\n\n{text}")
    return "\n".join(parts)


_PATTERNS = """\
Options and names may be in any order.

`download`, `fetch`, `pull` and `share` read patterns of paths in the same way, for a repository and for a share. A path or folder
that exists stands for itself, whatever characters it has. Otherwise `*` and `?` stand for anything but a slash, `**` for any folders,
and every other character, brackets included, for itself. A pattern without a slash matches at any depth (`*.bin`, `classifier`); one
with a slash matches from the top (`models/*.bin`, `/top.bin`). `status`, `ls-files`, `checkout`, `lock` and `unlock` take paths and
folders relative to where you are; `track` takes patterns of .gitattributes.
"""


def server_commands() -> str:
    """Each command of lepton-server with its options; those that all of them have once."""
    for name in [name for name in os.environ if name.startswith("GIT_LEPTON_SERVER_")]:
        del os.environ[name]  # they would be shown as defaults
    commands = _commands_of(parser())
    migrate, _ = commands["migrate"]
    where = next(group for group in migrate._action_groups if str(group.title).startswith("where the data are"))
    shared = [action.option_strings for action in where._group_actions]
    parts = [_MADE, "# Commands of lepton-server\n", f"## Where the data are\n\n{_WHERE}\n", _table(where._group_actions)]
    for words, (command, text) in commands.items():
        if _commands_of(command) or not text:  # an alias of another command has no text
            continue
        own = [action for action in command._actions if action.option_strings not in shared and action.dest != "help"]
        inputs = "".join(f" {action.metavar or action.dest.upper()}" for action in own if not action.option_strings)
        parts.append(f"## lepton-server {words}{inputs}\n\n{text[:1].upper()}{text[1:]}.\n")
        if told := [action for action in own if action.option_strings or action.help]:
            parts.append(_table(told))
    return "\n".join(parts)


_WHERE = "All commands take these options. Each can also be set in the environment: GIT_LEPTON_SERVER_DATA for --data, and so on."


def _commands_of(program: argparse.ArgumentParser, before: str = "") -> dict[str, tuple[argparse.ArgumentParser, str]]:
    """All commands, those below others too: the words that call each, what reads its options, and what it is for."""
    found: dict[str, tuple[argparse.ArgumentParser, str]] = {}
    for action in program._actions:
        if isinstance(action, argparse._SubParsersAction):
            texts = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, command in action.choices.items():
                found[before + name] = command, texts.get(name, "")
                found |= _commands_of(command, f"{before}{name} ")
    return found


def _table(actions: list[argparse.Action]) -> str:
    rows = []
    for action in actions:
        value = action.metavar or "|".join(filter(None, action.choices or [])) or action.dest.upper()
        words = [*action.option_strings[-1:], *([str(value)] if action.nargs != 0 else [])]
        name, text = (part.replace("|", "\\|") for part in (" ".join(words), action.help or ""))
        rows.append(f"| `{name}` | {text} |\n")
    return "| | |\n| --- | --- |\n" + "".join(rows)


def settings() -> str:
    """Each setting, where it is read from, what it may be."""
    parts = [
        _MADE,
        "# Settings\n",
        "A variable takes precedence over git's configuration. Only `git_lepton/settings` reads them.\n",
    ]
    for setting in SETTINGS:
        default = f" Default: {setting.default}." if setting.default is not None else ""
        parts.append(f"## {setting.variable or setting.key}\n\n{setting.text}\n\nValue: {_KINDS[setting.kind]}.{default}\n")
    return "\n".join(parts)


def errors() -> str:
    """Exit codes, the errors that have them, and the error codes of the wire protocol."""
    for module in pkgutil.walk_packages(git_lepton.__path__, "git_lepton."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    parts = [_MADE, "# Errors and exit codes\n", "0 means success. An error prints one sentence and a hint on standard error.\n"]
    for code, (title, meaning) in _CODES.items():
        parts.append(f"## Exit code {code}: {title}\n\n{meaning}\n")
        kinds = {each for each in _below(LeptonError) if each.exit_code == code and each.__module__ != LeptonError.__module__}
        rows = sorted((each.__name__, (each.__doc__ or "").split("\n")[0]) for each in kinds)
        if rows and code != LeptonError.exit_code:
            parts.append("| error | meaning |\n| --- | --- |\n" + "".join(f"| {name} | {text} |\n" for name, text in rows))
    rows = "".join(f"| {code} | {status} | {'yes' if again else 'no'} |\n" for code, (status, again) in ERRORS.items())
    parts.append("## Error codes of the server\n\n| code | HTTP status | worth trying again |\n| --- | --- | --- |\n" + rows)
    return "\n".join(parts)


def _below(kind: type[LeptonError]) -> set[type[LeptonError]]:
    own = {each for each in kind.__subclasses__() if each.__module__.startswith("git_lepton.")}
    return own.union(*(_below(each) for each in own))


_CODES = {
    1: ("a check failed", "`doctor` found something wrong, or a merge of weights needs a decision."),
    2: ("wrong use", "The command, a setting or one of your files has to change."),
    3: ("inconclusive", "A check could not decide, and that blocks. No command of this release uses it."),
    4: ("weights missing", "Weights are not where they are needed."),
    5: ("network or server", "Try again; transfers resume where they stopped."),
    6: ("not allowed", "The server, a rule of trust or the file system says no."),
    7: ("corrupt data", "Bytes are not what their name says. No wrong bytes were handed out."),
    70: ("our bug", "A report was written, and its path is printed."),
    130: ("interrupted", "Ctrl-C."),
}


def git_lepton_1() -> str:
    """The manual page."""
    return manual_page(_CODES)


PAGES = {
    "../git_lepton/entry/git-lepton.1": git_lepton_1,
    "commands.md": commands,
    "server-commands.md": server_commands,
    "settings.md": settings,
    "errors.md": errors,
}

if __name__ == "__main__":
    for name, make in PAGES.items():
        (HERE / name).write_text(make(), encoding="utf-8")
