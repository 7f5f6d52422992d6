"""Pointers that no .gitattributes covers: git hands them to no filter, so that they stay pointers in everybody's clone.

What counts is what travels: the attribute files of a commit or of the index, read as git reads them there. `.git/info/attributes`
and files of the user's own are nobody else's.
"""

from __future__ import annotations

import os
from shlex import quote

from git_lepton.errors import WeightsMissing
from git_lepton.format.attributes.reading import ATTRIBUTES, AttributeReading
from git_lepton.format.attributes.work import Work
from git_lepton.format.pointer import POINTER_SIZES, Pointer, is_pointer, parse_pointer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from git_lepton.git.repository import GitRepository, IndexEntry

_OWN = 10**10  # units of work: this repository is its user's
_FILES = f":(top,glob)**/{ATTRIBUTES.decode()}"


class UncoveredPointers(WeightsMissing):
    """Pointers stand in the work tree at paths where nothing says that they are weights."""

    def __init__(self, paths: Sequence[str]) -> None:
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        verb = "are pointers" if more else "is a pointer"
        super().__init__(
            f"{paths[0]}{more} {verb} that no .gitattributes covers: git takes the text itself for the file",
            f"git lepton track {quote(paths[0])}, then git lepton pull, and commit .gitattributes",
        )


def ensure_covered(git: GitRepository, wanted: Callable[[str], bool]) -> None:
    """Raises UncoveredPointers for those that stand in the work tree, at paths that are wanted."""
    entries = git.index_entries()
    strays = stray_pointers(git, entries, git.lepton_paths(entry.path for entry in entries))
    if found := list(filter(wanted, strays)):
        raise UncoveredPointers(found)


def uncovered_in_commit(git: GitRepository, commit: str, paths: Iterable[str]) -> list[str]:
    """Those of these paths (from the top) where the commit has a pointer, and neither filter=lepton nor a word against it."""
    wanted = [path for path in paths if "\n" not in path]  # git is asked line by line
    folders = dict.fromkeys(folder for path in wanted for folder in _folders(path))
    files = [folder + ATTRIBUTES.decode() for folder in folders]
    found = _looked_up(git, [f"{commit}:{path}" for path in (*wanted, *files)])
    pointers = [path for path, (_, size) in zip(wanted, found, strict=False) if size in POINTER_SIZES]
    blobs = [(path, blob) for path, (blob, size) in zip(files, found[len(wanted) :], strict=True) if size >= 0]
    return _uncovered(git, blobs, pointers)


def uncovered_in_index(git: GitRepository, paths: Sequence[str]) -> list[str]:
    """Those of these paths that, by the attribute files of the index, have neither filter=lepton nor a word against it."""
    if not paths:
        return []
    rows = os.fsdecode(git.run("ls-files", "--full-name", "-s", "-z", "--", _FILES)).split("\0")[:-1]
    heads = [(path, head.split(" ")) for head, path in (row.split("\t", 1) for row in rows)]
    return _uncovered(git, [(path, head[1]) for path, head in heads if head[0].startswith("100")], paths)


def stray_pointers(git: GitRepository, entries: Iterable[IndexEntry], ours: set[str]) -> dict[str, Pointer]:
    """Of the entries that are not ours, the pointers that stand in the work tree, unless attributes there say in so many words that
    a path has no filter."""
    top = str(git.work_tree())
    sized = [
        entry for entry in entries if entry.path not in ours and not entry.skipped and _size(top, entry.path) in POINTER_SIZES
    ]
    blobs = git.read_small((entry.path, entry.blob) for entry in sized)
    found = {blob.path: parse_pointer(blob.data) for blob in blobs if is_pointer(blob.data)}
    if not found:
        return {}
    stdin = b"".join(os.fsencode(path) + b"\0" for path in found)
    fields = os.fsdecode(git.run("-C", top, "check-attr", "--stdin", "-z", "filter", stdin=stdin)).split("\0")
    return {path: found[path] for path, value in zip(fields[::3], fields[2::3], strict=False) if value != "unset"}


def changed_attribute_files(git: GitRepository) -> list[str]:
    """The attribute files of the work tree that are not as in HEAD, new ones too."""
    lines = os.fsdecode(git.run("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", _FILES)).split("\0")
    return [line[3:] for line in lines if line]


def _uncovered(git: GitRepository, blobs: Sequence[tuple[str, str]], paths: Sequence[str]) -> list[str]:
    contents = _contents(git, [blob for _, blob in blobs]) if paths and blobs else []
    files = {os.fsencode(path): content for (path, _), content in zip(blobs, contents, strict=True)} if contents else {}
    reading = AttributeReading(files, work=Work(_OWN))
    return [path for path in paths if reading.value(os.fsencode(path)) not in (b"lepton", False)]


def _contents(git: GitRepository, blobs: Sequence[str]) -> list[bytes]:
    output = git.run("cat-file", "--batch", "--buffer", stdin="".join(f"{blob}\n" for blob in blobs).encode())
    contents, position = [], 0
    for _ in blobs:
        end = output.index(b"\n", position)
        size = int(output[position:end].split(b" ")[2])
        contents.append(output[end + 1 : end + 1 + size])
        position = end + 1 + size + 1
    return contents


def _looked_up(git: GitRepository, names: Sequence[str]) -> list[tuple[str, int]]:
    """Object name and size of each, size -1 where there is none."""
    if not names:
        return []
    stdin = b"".join(os.fsencode(name) + b"\n" for name in names)
    lines = git.run("cat-file", "--batch-check=%(objectsize) %(objectname)", stdin=stdin).split(b"\n")[: len(names)]
    rows = [line.partition(b" ") for line in lines]
    return [(name.decode(), int(size)) if size.isdigit() and len(name) in (40, 64) else ("", -1) for size, _, name in rows]


def _folders(path: str) -> Iterable[str]:
    """The folders that a path lies in, each with its slash; the top is the empty one."""
    yield ""
    at = path.find("/") + 1
    while at:
        yield path[:at]
        at = path.find("/", at) + 1


def _size(top: str, path: str) -> int:
    try:
        return os.lstat(f"{top}/{path}").st_size
    except OSError:
        return -1
