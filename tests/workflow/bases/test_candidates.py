"""Where bases are looked for, in real repositories."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from git_lepton.evidence.models import foreign_path
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.bases.candidates import BasePlaces
from tests.support.git_sandbox import GitSandbox


def oid(text: str) -> ObjectId:
    return ObjectId(hashlib.sha256(text.encode()).digest())


def pointer(text: str) -> bytes:
    return Pointer(oid(text), 1).encode()


@pytest.fixture
def sandbox(tmp_path: Path) -> GitSandbox:
    return GitSandbox.create(tmp_path / "repository", filter=None, track=None)


@pytest.fixture
def places(sandbox: GitSandbox) -> Iterator[BasePlaces]:
    found = BasePlaces(GitRepository(sandbox.folder), dict)
    yield found
    found.close()


def found(places: BasePlaces, path: str) -> list[ObjectId]:
    return list(dict.fromkeys(one for group in places.of(path) for one in group))


def test_an_empty_repository_has_none(places: BasePlaces) -> None:
    assert found(places, "a.bin") == []


def test_the_same_path_in_head_comes_first_then_what_is_staged(sandbox: GitSandbox, places: BasePlaces) -> None:
    sandbox.commit("one", {"dir/ä b.bin": pointer("one")})
    sandbox.write("dir/ä b.bin", pointer("staged"))
    sandbox.git("add", ".")
    assert found(places, "dir/ä b.bin") == [oid("one"), oid("staged")]


def test_both_parents_of_a_merge_are_equally_likely(sandbox: GitSandbox, places: BasePlaces) -> None:
    sandbox.commit("base", {"a.bin": pointer("base")})
    sandbox.git("switch", "-q", "-c", "theirs")
    sandbox.commit("theirs", {"a.bin": pointer("theirs")})
    sandbox.git("switch", "-q", "main")
    sandbox.commit("ours", {"a.bin": pointer("ours")})
    assert sandbox.run("merge", "-q", "theirs").returncode == 1
    assert next(places.of("a.bin")) == [oid("ours"), oid("theirs")]


@pytest.mark.parametrize("command", ["cherry-pick", "revert", "rebase"])
def test_the_commit_that_is_being_replayed_counts(sandbox: GitSandbox, places: BasePlaces, command: str) -> None:
    sandbox.commit("base", {"a.bin": pointer("base")})
    sandbox.git("switch", "-q", "-c", "theirs")
    sandbox.commit("theirs", {"a.bin": pointer("theirs")})
    if command == "revert":
        sandbox.commit("more", {"a.bin": pointer("ours")})
        arguments = ["HEAD~1"]
    else:
        sandbox.git("switch", "-q", "main")
        sandbox.commit("ours", {"a.bin": pointer("ours")})
        arguments = ["theirs"] if command == "cherry-pick" else ["main", "theirs"]
    assert sandbox.run(command, *arguments).returncode
    assert next(places.of("a.bin")) == [oid("ours"), oid("theirs")]


def test_where_head_was_before_counts_after_a_reset(sandbox: GitSandbox, places: BasePlaces) -> None:
    sandbox.commit("one", {"a.txt": "x"})
    sandbox.commit("two", {"a.bin": pointer("two")})
    sandbox.git("reset", "-q", "--hard", "HEAD~1")
    assert found(places, "a.bin") == [oid("two")]


def test_shards_and_numbered_files_of_one_name_come_before_what_lies_beside(sandbox: GitSandbox, places: BasePlaces) -> None:
    names = [
        "m-00001-of-00002.st",
        "m-00002-of-00002.st",
        "other.st",
        "checkpoint-1/a.st",
        "checkpoint-30/a.st",
        "checkpoint-4/a.st",
    ]
    sandbox.commit("all", {name: pointer(name) for name in names})
    assert found(places, "m.st") == [oid(name) for name in ["m-00001-of-00002.st", "m-00002-of-00002.st", "other.st"]]
    assert found(places, "checkpoint-5/a.st") == [oid(f"checkpoint-{n}/a.st") for n in (4, 1, 30)]


def test_what_this_process_added_is_known_before_git_knows_it(places: BasePlaces) -> None:
    places.added("a.pt", oid("just now"))
    assert found(places, "a.safetensors") == [oid("just now")]


LOCAL = '[model.new]\nfiles = ["new/*"]\nbase = "v1:old"\n'


def test_a_declared_base_may_be_a_file_or_a_folder_of_any_revision(sandbox: GitSandbox, places: BasePlaces) -> None:
    sandbox.commit("old", {"old/a.bin": pointer("a"), "old/deep/b.bin": pointer("b"), "old/config.json": "{}"})
    sandbox.git("tag", "v1")
    sandbox.git("rm", "-qr", "old")
    sandbox.git("commit", "-qm", "gone")
    sandbox.write("lepton.toml", LOCAL)
    assert found(places, "new/a.bin") == []  # only what is staged counts
    sandbox.git("add", ".")
    again = BasePlaces(GitRepository(sandbox.folder), dict)
    assert found(again, "new/a.bin") == [oid("a"), oid("b")]
    assert found(again, "elsewhere/a.bin") == []
    again.close()


def test_a_base_that_git_does_not_have_is_missed_and_one_just_stored_is_not(sandbox: GitSandbox, places: BasePlaces) -> None:
    sandbox.commit("toml", {"lepton.toml": LOCAL.replace("v1:old", ":old")})
    assert found(places, "new/a.bin") == []
    assert places.not_in_git == {"new": ":old"}
    places.not_in_git.clear()
    places.added("old/b.bin", oid("just now"))
    assert oid("just now") in found(places, "new/a.bin")
    assert places.not_in_git == {}


def test_a_base_of_another_repository_is_used_where_it_was_fetched_and_missed_where_not(
    sandbox: GitSandbox, places: BasePlaces
) -> None:
    sandbox.commit("toml", {"lepton.toml": LOCAL.replace("v1:old", "team/base@v1:old")})
    assert found(places, "new/a.bin") == []
    base = foreign_path("team/base@v1:old")
    assert base is not None
    assert places.not_fetched == {"new": base}
    fetched = BasePlaces(GitRepository(sandbox.folder), lambda: {base: [oid("foreign")]})
    assert found(fetched, "new/a.bin") == [oid("foreign")]
    assert fetched.not_fetched == {}
    fetched.close()


@pytest.mark.parametrize("name", ["adapter_config.json", "config.json"])
@pytest.mark.parametrize("said", ["acme/tiny", "acme/tiny@77", "../models/tiny", "models/tiny"])
def test_a_configuration_names_an_imported_model_or_a_folder(
    sandbox: GitSandbox, places: BasePlaces, name: str, said: str
) -> None:
    toml = '[model.tiny]\nfiles = ["models/tiny/**"]\norigin = "acme/tiny@77"\n'
    sandbox.commit("import", {"models/tiny/model.st": pointer("tiny"), "lepton.toml": toml})
    sandbox.write(f"mine/{name}", json.dumps({"base_model_name_or_path": said}))
    assert found(places, "mine/adapter.st") == [oid("tiny")]


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"base_model_name_or_path": 7}', '{"base_model_name_or_path": "/etc"}', "[" * 100_000]
)
def test_a_configuration_that_says_nothing_of_use_is_no_error(sandbox: GitSandbox, places: BasePlaces, text: str) -> None:
    sandbox.write("mine/config.json", text)
    assert found(places, "mine/a.st") == []


@pytest.mark.parametrize("toml", ["[model", '[model.a]\nfiles = "x"\n', "model = 3\n"])
def test_a_broken_lepton_toml_is_noted_and_stops_nothing(sandbox: GitSandbox, places: BasePlaces, toml: str) -> None:
    sandbox.commit("broken", {"lepton.toml": toml, "a.bin": pointer("a")})
    assert found(places, "a.bin") == [oid("a")]
    assert places.trouble is not None


def test_ordinary_files_folders_and_names_with_line_ends_are_no_bases(sandbox: GitSandbox, places: BasePlaces) -> None:
    sandbox.commit("odd", {"a.bin": "text", "b.bin": bytes(1 << 20), "c/d": "x", "e\nf.bin": pointer("e")})
    for path in ("a.bin", "b.bin", "c"):
        assert next(places.of(path)) == []
    assert next(places.of("e\nf.bin")) == []


def test_a_repository_that_git_cannot_read_has_no_bases_and_says_why(sandbox: GitSandbox, places: BasePlaces) -> None:
    sandbox.commit("one", {"a.bin": pointer("one")})
    sandbox.write(".git/config", "[broken")
    assert found(places, "a.bin") == []
    assert places.trouble is not None
