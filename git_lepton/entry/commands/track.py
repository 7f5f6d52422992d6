"""`git lepton track [PATTERN...]`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import counted, say, show
from git_lepton.format.placeholders import PlaceholderNotWeights
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.setup.placeholders import placeholders_in_index
from git_lepton.workflow.setup.track import Tracked, patterns_tracked, track


def main(arguments: Sequence[str]) -> int:
    """Keep files that match the patterns as weights; without a pattern, list the tracked ones."""
    command = parser(
        "track", "Keep files that match a pattern as weights, from their next `git add` on. Without one: list patterns."
    )
    command.add_argument("patterns", nargs="*", metavar="PATTERN", help="as in .gitattributes, in quotes: '*.safetensors'")
    command.add_argument("--no-hooks", action="store_true", help="leave the repository's hooks alone")
    add_json(command)
    options = command.parse_args(arguments)
    git = GitRepository()
    if not options.patterns:
        return _list(git, as_json=options.json)
    tracked = track(git, git.folder_of_user(), options.patterns, hooks=not options.no_hooks)
    strange = placeholders_in_index(git)
    if options.json:
        print_json({"tracked": tracked.changed, "raw": tracked.raw, "placeholders": sorted(strange)})
    else:
        _say(tracked, options.patterns, strange)
        for pattern in tracked.changed:
            if not _matches_a_file(git, pattern):
                say(f"no file here matches {pattern} yet")
    return 0


def _list(git: GitRepository, *, as_json: bool) -> int:
    patterns = patterns_tracked(git)
    if as_json:
        print_json([{"pattern": pattern, "file": file} for pattern, file in patterns])
    else:
        show(*(f"{pattern}    ({file})" for pattern, file in patterns))
    return 0


def _matches_a_file(git: GitRepository, pattern: str) -> bool:
    """Whether a file of this folder, ignored ones apart, has a name that the pattern means."""
    spec = pattern.removeprefix("/") if "/" in pattern else f"**/{pattern}"
    return bool(git.run("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", f":(glob){spec}"))


def _say(tracked: Tracked, patterns: Sequence[str], strange: Mapping[str, PlaceholderNotWeights]) -> None:
    for sentence in tracked.sentences:
        say(sentence)
    say(f"tracking {', '.join(tracked.changed)}" if tracked.changed else f"{', '.join(patterns)}: tracked already")
    if strange:
        path, found = next(iter(strange.items()))
        more = f" and {counted(len(strange) - 1, 'other file')}" if strange.keys() - {path} else ""
        say(f"{path}{more}: {found.message}; run `{found.command}` before you add them")
    raw = [path for path in tracked.raw if path not in strange]
    if raw:
        files = f"{counted(len(raw), 'file')} {'is' if len(raw) == 1 else 'are'} in git whole"
        say(f"{files}; to keep them as weights from the next commit on: git add --renormalize .")
