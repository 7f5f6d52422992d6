"""Scripts that complete `git lepton` in shells, made from the commands' own parsers: what is offered is what a command takes."""

from __future__ import annotations

import argparse

from git_lepton.entry.arguments import commands_below, parser_of
from git_lepton.entry.cli import COMMANDS

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    """The script for one of SHELLS."""
    return _FRAMES[shell].replace("@CASES@", "\n".join(_cases(shell)))


def offered() -> dict[str, list[str]]:
    """What may come after which words (the command, the one below it, perhaps an option): `""`, `repo`, `repo create`,
    `repo create --visibility`."""
    found = {"": sorted([*(command.name for command in COMMANDS if command.group), "help", "version"])}
    for command in COMMANDS:
        if command.group:
            found |= _of(command.name, parser_of(command.load()))
    return found


def _of(words: str, command: argparse.ArgumentParser) -> dict[str, list[str]]:
    below = commands_below(command)
    options = [option for action in command._actions for option in action.option_strings if option.startswith("--")]
    found = {words: sorted([*below, *options])}
    for action in command._actions:
        if action.choices and not isinstance(action, argparse._SubParsersAction):
            choices = [str(choice) for choice in action.choices]
            found |= {f"{words} {option}": choices for option in action.option_strings}
            found[words] += [] if action.option_strings else choices
    for name, each in below.items():
        found |= _of(f"{words} {name}", each)
    return found


def _cases(shell: str) -> list[str]:
    if shell == "fish":
        return [f"        case '{words}'\n            set found {' '.join(found)}" for words, found in offered().items()]
    return [f"        '{words}') found='{' '.join(found)}' ;;" for words, found in offered().items()]


_BASH = """# Completion of git lepton for bash: source it after git's own, which calls _git_lepton.
# Made by: git lepton completion bash
__git_lepton_offer () {  # $1: where the words of git lepton begin
    local command= word found= index cur=${words[cword]} prev=${words[cword-1]}
    for (( index = $1; index < cword; index++ )); do
        word=${words[index]}
        case "$word" in -*) ;; *) __git_lepton_known "${command:+$command }$word" && command="${command:+$command }$word" ;; esac
    done
    __git_lepton_known "$command $prev" || __git_lepton_known "$command"
    COMPREPLY=()
    local space=
    [[ $2 == git ]] && space=' '  # git's completion adds none
    local candidate
    for candidate in $found; do
        [[ $candidate == "$cur"* && ( $candidate != -* || $cur == -* ) ]] && COMPREPLY+=("$candidate$space")
    done
}

__git_lepton_known () {
    case "$1" in
@CASES@
        *) return 1 ;;
    esac
}

_git_lepton () {
    local index
    for (( index = 1; index < cword; index++ )); do
        [[ ${words[index]} == lepton ]] && break
    done
    __git_lepton_offer $((index + 1)) git
}

__git_lepton_program () {
    local words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
    __git_lepton_offer 1 program
}

complete -o bashdefault -o default -F __git_lepton_program git-lepton
"""
_ZSH = """#compdef git-lepton
# Completion of git lepton for zsh: source it after compinit, or keep it as _git-lepton in a folder of fpath.
# Made by: git lepton completion zsh
__git_lepton_known () {
    case "$1" in
@CASES@
        *) return 1 ;;
    esac
}

_git-lepton () {
    local command= word found=
    local -a candidates
    for word in "${(@)words[2,CURRENT-1]}"; do
        case "$word" in -*) ;; *) __git_lepton_known "${command:+$command }$word" && command="${command:+$command }$word" ;; esac
    done
    (( CURRENT > 2 )) && __git_lepton_known "$command ${words[CURRENT-1]}" || __git_lepton_known "$command"
    candidates=(${=found})
    [[ $PREFIX == -* ]] || candidates=(${candidates:#-*})
    (( $#candidates )) && compadd -a candidates && return
    _files
}

zstyle ':completion:*:*:git:*' user-commands lepton:'weights of models in git'
compdef _git-lepton git-lepton
"""
_FISH = """# Completion of git lepton for fish: keep it as ~/.config/fish/completions/git-lepton.fish, and source it in config.fish.
# Made by: git lepton completion fish
function __git_lepton_known
    set -g __git_lepton_found
    set -l found
    switch "$argv[1]"
@CASES@
        case '*'
            return 1
    end
    set -g __git_lepton_found $found
    return 0  # set says nothing of its own
end

function __git_lepton_look
    set -l words (commandline -opc)
    if test "$words[1]" = git
        set -l at (contains -i -- lepton $words); or return 1
        set words $words[$at..-1]
    end
    set -l command
    set -l joined ''
    for word in $words[2..-1]
        if not string match -q -- '-*' $word
            set -l longer (string trim "$joined $word")
            __git_lepton_known $longer; and set joined $longer
        end
    end
    if test (count $words) -gt 1
        __git_lepton_known "$joined $words[-1]"; and return 0
    end
    __git_lepton_known "$joined"
    if not string match -q -- '-*' (commandline -ct)
        set -g __git_lepton_found (string match -v -- '-*' $__git_lepton_found)
    end
    test (count $__git_lepton_found) -gt 0
end

complete -c git -n __git_lepton_look -f -a '$__git_lepton_found'
complete -c git -n '__fish_use_subcommand' -a lepton -d 'weights of models in git'
complete -c git-lepton -n __git_lepton_look -f -a '$__git_lepton_found'
"""
_FRAMES = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}
