"""One git repository, through the git program: where it is, its configuration, its refs, and the small blobs in it.

Whatever a client wants of git goes through here, so that environment, locks and errors are handled once (see `program`).
Names of objects are hex text, paths are text as `os.fsdecode` makes it, relative to the top of the work tree, with '/'.
"""

from __future__ import annotations

import os
from pathlib import Path

from git_lepton.errors import WrongUse
from git_lepton.git.entries import IndexEntry, SmallBlob
from git_lepton.git.errors import GitFailed, GitMissing
from git_lepton.git.places import NotARepository, Places, find_places
from git_lepton.git.program import GitProgram, git_failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

__all__ = ["GitFailed", "GitMissing", "GitRepository", "IndexEntry", "NotARepository", "SmallBlob"]

_NO_FETCH = {"GIT_NO_LAZY_FETCH": "1"}  # a partial clone asks its promisor for nothing that is only looked up
SIZES = ("cat-file", "--buffer", "--batch-check=%(objectname) %(objecttype) %(objectsize) %(rest)")
SMALL = 1024  # bytes; no pointer is larger, and nothing larger is ever read here


class GitRepository(GitProgram):
    """`GitRepository()` is the repository that git or the user put this process in, `GitRepository(folder)` any other."""

    def __init__(self, folder: Path | str | None = None) -> None:
        super().__init__(folder)
        self._places: Places | None = None
        self._config: dict[str, list[str]] | None = None

    @classmethod
    def find(cls, folder: Path | str | None = None) -> GitRepository:
        """The repository around a folder. Raises NotARepository."""
        repository = cls(folder)
        repository._find()
        return repository

    # where it is

    @property
    def git_dir(self) -> Path:
        """This work tree's own git directory (HEAD and index are here)."""
        return self._find().git_dir

    @property
    def common_dir(self) -> Path:
        """The git directory that all work trees share (objects, refs and our weights are here)."""
        return self._find().common_dir

    @property
    def top_level(self) -> Path | None:
        """The top of the work tree; None in a bare repository."""
        return self._find().top_level

    def work_tree(self) -> Path:
        """The top of the work tree. Raises WrongUse in a bare repository."""
        if self.top_level is None and self.config("core.bare") != "true":
            raise WrongUse("this folder is inside a git directory", "Go to the folder where your files are.")
        if self.top_level is None:
            raise WrongUse("this repository is bare: it has no work tree", "Run this in a clone of it.")
        return self.top_level

    def folder_of_user(self) -> Path:
        """The folder of the work tree where the user is, or its top for one who is elsewhere (`git --work-tree=...`). Raises WrongUse."""
        top, here = self.work_tree(), Path(self.folder or Path.cwd())
        return here if here.resolve().is_relative_to(top.resolve()) else top

    def _find(self) -> Places:
        if self._places is None:
            self._places = find_places(self)
        return self._places

    def environment(self) -> dict[str, str]:
        """What a look-up runs with; once it is known where the repository is, in words that hold in any folder."""
        kept = super().environment()
        return kept | self._places.absolute(kept) if self._places and self.folder is None else kept

    def run_at_top(self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None) -> bytes:
        """What git prints in the folder where this repository's paths start. Raises GitFailed or GitMissing."""
        status, output, stderr = self.try_run_at_top(*arguments, stdin=stdin, environment=environment)
        if status:
            raise git_failed(arguments, status, stderr)
        return output

    def try_run_at_top(
        self, *arguments: str, stdin: bytes = b"", environment: Mapping[str, str] | None = None
    ) -> tuple[int, bytes, str]:
        """As `try_run`, in the folder where this repository's paths start."""
        places = self._find()
        return self.try_run("-C", str(places.top), *arguments, stdin=stdin, environment={**places.named(), **(environment or {})})

    def git_path(self, name: str) -> Path:
        """Where git keeps a file of this repository ("hooks", "info/attributes", "index"), by git's own rules."""
        return Path(os.path.abspath(Path(self.folder or "") / self.text("rev-parse", "--git-path", name)))  # noqa: PTH100 - links stay

    # configuration

    def config(self, key: str) -> str | None:
        """The value of a configuration key that counts, or None. A key without a value is "true"."""
        values = self.config_all(key)
        return values[-1] if values else None

    def config_all(self, key: str) -> list[str]:
        """All values of a configuration key, the least important first. Read from git once."""
        if self._config is None:
            self._config = {}
            for entry in os.fsdecode(self.run("config", "--list", "-z", "--includes")).split("\0"):
                name, newline, value = entry.partition("\n")
                self._config.setdefault(name, []).append(value if newline else "true")
        section, _, rest = key.partition(".")
        middle, dot, name = rest.rpartition(".")
        return self._config.get(f"{section.lower()}.{middle}{dot}{name.lower()}", [])

    def config_for_url(self, key: str, url: str) -> str | None:
        """The value of a key ("http.proxy") by git's rules for sections that name a URL, or None."""
        status, output, stderr = self.try_run("config", "-z", "--get-urlmatch", key, url)
        if status > 1:
            raise git_failed(("config", "--get-urlmatch", key, url), status, stderr)
        return os.fsdecode(output).removesuffix("\0") if status == 0 else None

    def set_config(self, key: str, value: str, scope: str = "local") -> None:
        """Give a key one value, in the repository ("local") or for the user ("global")."""
        self.run("config", f"--{scope}", "--replace-all", key, value)
        self._config = None

    def add_config(self, key: str, value: str, scope: str = "local") -> None:
        """Give a key one more value."""
        self.run("config", f"--{scope}", "--add", key, value)
        self._config = None

    def unset_config(self, key: str, scope: str = "local") -> bool:
        """Take all values of a key away. Whether there were any."""
        status, _, stderr = self.try_run("config", f"--{scope}", "--unset-all", key)
        if status not in (0, 5):
            raise git_failed(("config", f"--{scope}", "--unset-all", key), status, stderr)
        self._config = None
        return status == 0

    def remove_config_section(self, section: str, scope: str = "local") -> bool:
        """Take a whole section ("filter.lepton") away. Whether it was there."""
        status, _, stderr = self.try_run("config", f"--{scope}", "--remove-section", section)
        if status and "no such section" not in stderr.lower():
            raise git_failed(("config", f"--{scope}", "--remove-section", section), status, stderr)
        self._config = None
        return status == 0

    # refs and revisions

    def rev_parse(self, revision: str) -> str | None:
        """The object a revision names ("HEAD", "main^{tree}", "HEAD:file"), or None."""
        status, output, _ = self.try_run("rev-parse", "--verify", "--quiet", "--end-of-options", revision)
        return output.decode().strip() if status == 0 else None

    def refs(self, *prefixes: str) -> dict[str, str]:
        """Full ref names under these prefixes ("refs/heads/", all where none is given) and the objects they name."""
        lines = self.text("for-each-ref", "--format=%(objectname) %(refname)", *prefixes).splitlines()
        return {name: value for value, name in (line.split(" ", 1) for line in lines)}

    def branch(self) -> str | None:
        """The current branch without refs/heads/, also before its first commit; None where HEAD is detached."""
        status, output, _ = self.try_run("symbolic-ref", "--quiet", "--short", "HEAD")
        return os.fsdecode(output).strip() if status == 0 else None

    def read_blob(self, name: str) -> bytes:
        """The bytes of a blob ("HEAD:lepton.toml" or its hex name). Raises GitFailed."""
        return self.run("cat-file", "blob", name)

    # paths that are ours

    def index_entries(self, *paths: str) -> list[IndexEntry]:
        """The tracked files (no symlinks, no submodules). Unmerged paths are left out.

        Where files or folders are given, as a user types them in the folder where we run, only those.
        """
        arguments = ("--literal-pathspecs", "ls-files", "--full-name", "-s", "-v", "-z", "--")
        output = self.run(*arguments, *(paths or self._everything()))
        entries = []
        for line in os.fsdecode(output).split("\0")[:-1]:
            head, path = line.split("\t", 1)
            tag, mode, blob, stage = head.split(" ")
            if mode.startswith("100") and stage == "0":
                entries.append(IndexEntry(path, mode, blob, tag))
        return entries

    def _everything(self) -> tuple[str, ...]:
        return (str(self.top_level),) if self.top_level else ()

    def lepton_paths(self, paths: Iterable[str], revision: str | None = None) -> set[str]:
        """Which of these paths have the attribute filter=lepton: by the work tree's .gitattributes, or by those of a revision."""
        stdin = b"".join(os.fsencode(path) + b"\0" for path in paths)
        if not stdin:
            return set()
        if revision is None:
            output = self.run_at_top("check-attr", "--stdin", "-z", "filter", stdin=stdin)
        else:
            output = self._attributes_of(revision, stdin)
        fields = os.fsdecode(output).split("\0")
        return {path for path, value in zip(fields[::3], fields[2::3], strict=False) if value == "lepton"}

    def _attributes_of(self, revision: str, stdin: bytes) -> bytes:
        """git learned `--attr-source` in 2.40; an index of our own gives the same with any git."""
        from tempfile import TemporaryDirectory

        with TemporaryDirectory(prefix="git-lepton-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.run("read-tree", revision, environment=index)
            arguments = ("check-attr", "--cached", "--stdin", "-z", "filter")
            return self.run_at_top(*arguments, stdin=stdin, environment=index)

    # small blobs: where pointers are

    def small_blobs_in_index(self, *paths: str) -> list[SmallBlob]:
        """The tracked files of at most SMALL bytes at paths with filter=lepton."""
        entries = self.index_entries(*paths)
        ours = self.lepton_paths(entry.path for entry in entries)
        return list(self.read_small((entry.path, entry.blob) for entry in entries if entry.path in ours))

    def small_blobs_in_tree(self, revision: str) -> list[SmallBlob]:
        """The files of at most SMALL bytes in a revision, at any path. Blobs that a partial clone lacks are fetched by git."""
        wanted = []
        for line in os.fsdecode(self.run("ls-tree", "-r", "-z", "-l", "--full-tree", revision)).split("\0")[:-1]:
            head, path = line.split("\t", 1)
            mode, _, blob, size = head.split()
            if mode.startswith("100") and int(size) <= SMALL:
                wanted.append((path, blob))
        return list(self.read_small(wanted))

    def new_small_blobs(
        self, tips: Iterable[str], excluded: Sequence[str] = (), *, promised: bool = False
    ) -> Iterator[SmallBlob]:
        """The blobs of at most SMALL bytes that these commits (or blobs) reach and the excluded ones do not, each once, with one
        path.

        Excluded names that are not here are skipped; so is all that a partial clone has from its promisor (which has the weights
        too), or, where that is asked for as well, what the clone has not.
        """
        known = self.present(excluded)
        stdin = [f"{tip}\n".encode() for tip in tips] + [f"^{name}\n".encode() for name in known]
        lacking = ("--missing=allow-any", "--ignore-missing") if promised else ("--exclude-promisor-objects",)
        command = ("--no-replace-objects", "rev-list", "--objects", *(lacking if self.is_partial() else ()), "--stdin")
        sizes = self.pipeline(command, SIZES, stdin=b"".join(stdin))
        yield from self.read_small(_small_only(sizes))

    def present(self, names: Sequence[str]) -> list[str]:
        """Those of these hex names that name an object here."""
        if not names:
            return []
        lines = self.run("cat-file", "--batch-check=%(objectname)", stdin=_one_a_line(names), environment=_NO_FETCH)
        return [line for line in lines.decode().splitlines() if " " not in line]

    def is_partial(self) -> bool:
        """Whether some objects are only promised here."""
        self.config("core.bare")
        return any(key.endswith((".promisor", ".partialclone")) for key in self._config or ())

    def small_blobs(self, names: Sequence[str]) -> list[SmallBlob]:
        """Those of these blobs (hex names) that are here and have at most SMALL bytes; without a path."""
        if not names:
            return []
        lines = self.run(*SIZES, stdin=_one_a_line(names), environment=_NO_FETCH).splitlines()
        return list(self.read_small(_small_only(line for line in lines if not line.endswith(b" missing"))))

    def read_small(self, wanted: Iterable[tuple[str, str]]) -> Iterator[SmallBlob]:
        """Read blobs (path, hex name) that are known to be small, with one run of git."""
        pairs = list(wanted)
        if not pairs:
            return
        output = self.run("cat-file", "--batch", "--buffer", stdin=_one_a_line(blob for _, blob in pairs))
        position = 0
        for path, blob in pairs:
            end = output.index(b"\n", position)
            fields = output[position:end].split(b" ")
            position = end + 1
            if len(fields) != 3:
                continue  # git says "missing": not here, and not to be had
            size = int(fields[2])
            if fields[1] == b"blob" and size <= SMALL:
                yield SmallBlob(path, blob, output[position : position + size])
            position += size + 1


def _one_a_line(names: Iterable[str]) -> bytes:
    return "".join(f"{name}\n" for name in names).encode()


def _small_only(lines: Iterable[bytes]) -> Iterator[tuple[str, str]]:
    for line in lines:
        name, kind, size, path = [*line.split(b" ", 3), b"", b""][:4]
        if kind == b"blob" and int(size) <= SMALL:
            yield os.fsdecode(path), name.decode()
