"""Files behind the link of a share: what breaks off, what is not what it should be, what must not be written."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from git_lepton.settings import Settings
from git_lepton.transfer.http.refusals import NotFound
from git_lepton.wire.collaboration import SharedFile, SharedFiles
from git_lepton.workflow.download.folder import FolderBusy, partial_folder
from git_lepton.workflow.download.repository import NothingMatches
from git_lepton.workflow.download.safe_paths import PARTIAL, UnsafePath
from git_lepton.workflow.download.share import LinkEnded, WrongBytes, fetch_share, is_link
from tests.transfer.scripted_server import Answer, Request, ScriptedServer, error_answer, json_answer

SECRET = "k" * 43
DATA = os.urandom(3_000_000)
OID = hashlib.sha256(DATA).hexdigest()
ENDED = error_answer(404, "not_found", "There is nothing at this link.")
Give = Callable[[Request], Answer]


class Link:
    """A link to `files`, whose bytes `give` answers."""

    def __init__(self, give: Give, *paths: str) -> None:
        files = [SharedFile(path, OID, len(DATA), None) for path in paths or ("models/a.bin",)]
        self.listing = json_answer(SharedFiles("v1", 1 << 42, files))
        self.server = ScriptedServer(lambda request: self.listing if request.path == f"/s/{SECRET}" else give(request))

    def fetch(self, folder: Path, *patterns: str) -> list[str]:
        with self.server:
            return fetch_share(Settings(None), f"{self.server.url}/s/{SECRET}", folder, patterns).brought

    @property
    def ranges(self) -> list[str]:
        """What was asked for of files, in order."""
        return [request.headers.get("range", "") for request in self.server.requests if request.path != f"/s/{SECRET}"]


def part(request: Request) -> bytes:
    start = request.headers.get("range", "bytes=0-").removeprefix("bytes=").removesuffix("-")
    return DATA[int(start) :]


def whole(request: Request) -> Answer:
    return Answer(206 if "range" in request.headers else 200, part(request))


def test_what_breaks_off_goes_on(tmp_path: Path) -> None:
    def give(request: Request) -> Answer:
        rest = part(request)
        shown = rest[:1_200_000]  # then the connection ends
        return Answer(206, shown, {"Content-Length": str(len(rest)), "Connection": "close"})

    link = Link(give)
    assert link.fetch(tmp_path) == ["models/a.bin"]
    assert (tmp_path / "models" / "a.bin").read_bytes() == DATA
    assert not (tmp_path / PARTIAL).exists()
    starts = [int(asked.removeprefix("bytes=").removesuffix("-") or 0) for asked in link.ranges]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert len(starts) > 2
    assert all(request.headers.get("if-range", f'"{OID}"') == f'"{OID}"' for request in link.server.requests)


def test_a_link_that_ends_meanwhile_keeps_what_arrived(tmp_path: Path) -> None:
    def give(request: Request) -> Answer:
        if "range" in request.headers:
            return ENDED
        return Answer(200, DATA[:2_000_000], {"Content-Length": str(len(DATA)), "Connection": "close"})

    with pytest.raises(LinkEnded, match=r"gives models/a\.bin no longer"):
        Link(give).fetch(tmp_path)
    assert not (tmp_path / "models").exists()
    assert (tmp_path / PARTIAL / OID).stat().st_size >= 1_000_000
    link = Link(whole)
    link.fetch(tmp_path)
    assert (tmp_path / "models" / "a.bin").read_bytes() == DATA
    assert link.ranges[0] != ""


def test_a_link_that_is_none(tmp_path: Path) -> None:
    link = Link(whole)
    link.listing = ENDED
    with pytest.raises(NotFound, match="There is nothing at this link"):
        link.fetch(tmp_path)


def test_other_bytes_are_never_in_place(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a.bin").write_bytes(b"an earlier version")
    with pytest.raises(WrongBytes):
        Link(lambda _: Answer(200, bytes(len(DATA)))).fetch(tmp_path)
    with pytest.raises(WrongBytes):
        Link(lambda _: Answer(200, DATA[:-1])).fetch(tmp_path)
    assert (tmp_path / "models" / "a.bin").read_bytes() == b"an earlier version"


def test_what_is_there_and_right_is_kept(tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(DATA)
    link = Link(whole, "a.bin", "b.bin")
    assert link.fetch(tmp_path) == ["b.bin"]
    assert len(link.ranges) == 1


def test_patterns_choose(tmp_path: Path) -> None:
    link = Link(whole, "models/a.bin", "models/b #?.bin", "c.bin")
    assert link.fetch(tmp_path, "models/b*") == ["models/b #?.bin"]
    with pytest.raises(NothingMatches):
        Link(whole).fetch(tmp_path, "other/*")


@pytest.mark.parametrize("path", ["../out.bin", ".git/hooks/pre-push", "/etc/x", f"{PARTIAL}/x"])
def test_a_list_that_leads_elsewhere_writes_nothing(tmp_path: Path, path: str) -> None:
    with pytest.raises(UnsafePath):
        Link(whole, "a.bin", path).fetch(tmp_path / "folder")
    assert not (tmp_path / "folder" / "a.bin").exists()


def test_one_download_into_a_folder_at_a_time(tmp_path: Path) -> None:
    with partial_folder(tmp_path), pytest.raises(FolderBusy):
        Link(whole).fetch(tmp_path)


@pytest.mark.parametrize(
    ("source", "is_one"),
    [
        (f"https://store.example/s/{SECRET}", True),
        (f"http://127.0.0.1:8417/prefix/s/{SECRET}/", True),
        (f"https://store.example/s/{SECRET[:-1]}", True),  # mistyped: the server says what there is to say
        (f"https://store.example/s/{SECRET}x", True),
        ("https://store.example/s/models", False),
        (f"https://store.example/{SECRET}", False),
        (f"lepton::https://store.example/s/{SECRET}", False),
        (f"https://store.example/s/{SECRET}@main", False),
    ],
)
def test_which_address_is_a_link(source: str, is_one: bool) -> None:
    assert is_link(source) == is_one
