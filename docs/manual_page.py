"""The manual page git-lepton(1), in roff, out of the commands' own parsers. `docs/generate.py` writes it."""

from __future__ import annotations

import argparse
import re

from git_lepton.entry.arguments import commands_below, parser_of
from git_lepton.entry.cli import COMMANDS
from git_lepton.settings import SETTINGS

_HEAD = r""".\" Made by docs/generate.py; do not edit
.TH GIT\-LEPTON 1 "" "git-lepton" "Git Manual"
.SH NAME
git\-lepton \- version control of model weights in plain git
.SH SYNOPSIS
.B git lepton
.I COMMAND
.RI [ ARGUMENT ...]
.SH DESCRIPTION
Files of weights that are tracked become pointers of three lines in git; the weights themselves are cut at their tensors, coded, and kept
beside it. \fBgit push\fR sends them to a server, \fBgit clone\fR and \fBgit pull\fR bring the same bytes back. git itself is used as ever;
the commands below are for all the rest.
.SH COMMANDS
"""


def manual_page(exit_codes: dict[int, tuple[str, str]]) -> str:
    """The whole page; of each exit code its title and what it means."""
    parts = [_HEAD]
    for group in dict.fromkeys(command.group for command in COMMANDS if command.group):
        parts.append(f".SS {_plain(group)}\n")
        parts += [f".TP\n.B {_plain(row.name)}\n{_plain(row.summary)}\n" for row in COMMANDS if row.group == group]
    parts.append(".SH EACH COMMAND\n")
    for row in COMMANDS:
        if row.group:
            parts += _command(row.name, parser_of(row.load()))
    parts.append(".SH EXIT STATUS\n" + _entry("0", "done"))
    parts += [_entry(str(code), f"{title}. {meaning}") for code, (title, meaning) in exit_codes.items()]
    parts.append(".SH ENVIRONMENT AND CONFIGURATION\nA variable wins over git's configuration.\n")
    parts += [_entry(str(setting.variable or setting.key), setting.text) for setting in SETTINGS]
    parts.append(".SH SEE ALSO\n.BR git (1),\n.BR gitattributes (5),\n.BR git\\-clone (1)\n")
    return "".join(parts)


def _command(words: str, command: argparse.ArgumentParser) -> list[str]:
    usage = re.sub(r"\s+", " ", command.format_usage().removeprefix("usage: ")).strip()
    parts = [f".SS git lepton {_plain(words)}\n.nh\n{_plain(usage)}\n.hy\n.PP\n{_plain(command.description or '')}\n"]
    for action in command._actions:
        if action.dest != "help" and not isinstance(action, argparse._SubParsersAction) and action.help:
            value = (
                "" if action.nargs == 0 else str(action.metavar or "|".join(map(str, action.choices or [action.dest.upper()])))
            )
            parts.append(_entry(" ".join([", ".join(action.option_strings), value]).strip(), action.help))
    for name, below in commands_below(command).items():
        parts += _command(f"{words} {name}", below)
    return parts


def _entry(name: str, text: str) -> str:
    return f".TP\n.B {_plain(name)}\n{_plain(text)}\n"


def _plain(text: str) -> str:
    """Text as roff takes it: nothing in it is a command."""
    text = " ".join(text.split()).replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq")
    return rf"\&{text}" if text.startswith(".") else text
