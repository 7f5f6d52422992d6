"""status, ls-files, du, env, doctor, fsck: what they say and which exit code they have."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from tests.entry.commands.conftest import Lepton
from tests.support.git_sandbox import GitSandbox


def test_status_of_a_sound_work_tree(sandbox: GitSandbox, lepton: Lepton) -> None:
    done = lepton("status", at=sandbox)
    assert done.code == 0
    assert "2 tracked files" in done.out
    assert "a push to origin would offer 2 objects" in done.out


def test_status_is_4_while_pointers_stand_for_weights(pointers: GitSandbox, lepton: Lepton) -> None:
    done = lepton("status", at=pointers)
    assert done.code == 4
    assert done.out.startswith("2 tracked files, 1.7 MB; 0 real and unchanged\n")
    assert "pointers; `git lepton pull` brings their weights:\n    models/two.bin\n    one.bin\n" in done.out


def test_one_is_not_several(tmp_path: Path, lepton: Lepton) -> None:
    sandbox = GitSandbox.create(tmp_path / "one")
    sandbox.commit("first", {"one.bin": b"1" * 100_000})
    assert "1 tracked file, " in lepton("status", at=sandbox).out
    assert "would offer 1 object, " in lepton("status", at=sandbox).out
    assert "1 of 1 object can be restored" in lepton("fsck", at=sandbox).out
    assert "local store: 1 object in 1 pack\n" in lepton("du", at=sandbox).out


def test_a_name_that_is_none_is_wrong_use(sandbox: GitSandbox, lepton: Lepton) -> None:
    done = lepton("status", "nothing-here", at=sandbox)
    assert (done.code, "no tracked file is at nothing-here" in done.err) == (2, True)
    done = lepton("du", "no-branch", at=sandbox)
    assert (done.code, "'no-branch' is no version" in done.err) == (2, True)


def test_status_names_every_state(sandbox: GitSandbox, lepton: Lepton) -> None:
    sandbox.commit("a change", {"three.bin": b"3" * 5000, "four.bin": b"4" * 5000})
    sandbox.write("one.bin", b"changed" * 1000)
    sandbox.path("three.bin").unlink()
    sandbox.write("four.bin", b"staged" * 1000)
    sandbox.git("add", "four.bin")
    found = {file["path"]: file for file in lepton("status", "--json", at=sandbox).json["files"]}
    assert {path: file["state"] for path, file in found.items()} == {
        "four.bin": "here",
        "models/two.bin": "here",
        "one.bin": "modified",
        "three.bin": "deleted",
    }
    assert [path for path, file in found.items() if file["staged"]] == ["four.bin"]


def test_status_knows_weights_that_git_itself_has(tmp_path: Path, lepton: Lepton) -> None:
    sandbox = GitSandbox.create(tmp_path / "raw", filter=None, track=None)
    sandbox.commit("a change", {"a.bin": b"raw" * 1000})
    sandbox.use_filter()
    sandbox.write(".gitattributes", "*.bin filter=lepton -text\n")
    assert lepton("status", "--json", at=sandbox).json["files"][0]["state"] == "raw"


def test_another_tools_pointers_are_named_everywhere(tmp_path: Path, lepton: Lepton) -> None:
    plain = GitSandbox.create(tmp_path / "plain", filter=None, track=None)
    plain.commit("as cloned", {"m.bin": "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"})
    told = lepton("track", "*.bin", "--no-hooks", at=plain).err
    assert "m.bin: this is git-lfs's pointer, not the weights; run `git lfs pull`" in told
    assert "in git whole" not in told
    plain.git("add", ".gitattributes")
    plain.git("commit", "--quiet", "-m", "track")
    assert "another tool's pointers, not weights" in lepton("status", at=plain).out
    assert "m.bin: this is git-lfs's pointer" in lepton("fsck", at=plain).out
    assert "m.bin: this is git-lfs's pointer" in lepton("doctor", at=plain).out


def test_what_was_pushed_is_not_offered_again(pushed: GitSandbox, lepton: Lepton) -> None:
    assert lepton("status", "--json", at=pushed).json["push"] == {"remote": "origin", "objects": 0, "bytes": 0}


def test_ls_files(sandbox: GitSandbox, pointers: GitSandbox, lepton: Lepton) -> None:
    oid = hashlib.sha256(b"weights" * 100_000).hexdigest()
    assert f"{oid[:12]} *   700 kB  models/two.bin" in lepton("ls-files", at=sandbox).out
    assert f"{oid} -   700 kB  models/two.bin" in lepton("ls-files", "--long", at=pointers).out
    assert lepton("ls-files", "--json", "models", at=sandbox).json == [
        {"path": "models/two.bin", "oid": f"sha256:{oid}", "size": 700_000, "state": "here"}
    ]


def test_an_empty_repository_is_no_trouble(tmp_path: Path, lepton: Lepton) -> None:
    sandbox = GitSandbox.create(tmp_path / "empty")
    for command in ("status", "ls-files", "du", "fsck", "fetch", "pull", "checkout", "prune"):
        assert lepton(command, at=sandbox).code == 0, command


def test_outside_of_a_repository_is_wrong_use(tmp_path: Path, lepton: Lepton) -> None:
    for command in ("status", "ls-files", "du", "fsck", "fetch", "push", "pull", "checkout", "prune"):
        done = lepton(command, at=tmp_path)
        assert (done.code, "not in a git repository" in done.err) == (2, True), command


def test_du_counts_what_paths_share_once(sandbox: GitSandbox, lepton: Lepton) -> None:
    sandbox.commit("a change", {"copy.bin": b"weights" * 100_000})
    found = lepton("du", "--json", at=sandbox).json
    by_path = {path["path"]: path for path in found["paths"]}
    assert by_path["copy.bin"]["unique"] == 700_000
    assert (by_path["models/two.bin"]["unique"], by_path["models/two.bin"]["stored"]) == (0, 0)
    assert by_path["one.bin"]["stored"] > 1 << 20
    assert found["work_tree"] == 2 * 700_000 + (1 << 20)
    assert found["local"] > 1 << 20
    assert "one.bin" in lepton("du", at=sandbox).out


def test_du_by_version_and_by_branch(sandbox: GitSandbox, lepton: Lepton) -> None:
    sandbox.git("switch", "--quiet", "-c", "side")
    sandbox.commit("a change", {"three.bin": os.urandom(200_000)})
    lines = lepton("du", "--versions", at=sandbox).out.splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["first", "change"]
    assert [row["unique"] for row in lepton("du", "--versions", "--json", at=sandbox).json] == [700_000 + (1 << 20), 200_000]
    assert len(lepton("du", "--versions", "main", "--json", at=sandbox).json) == 1
    assert lepton("du", "--branch", "side", at=sandbox).out.startswith("deleting side would free 200 kB of 1 object ")
    assert lepton("du", "--branch", "side", "--json", at=sandbox).json["objects"] == 1
    assert lepton("du", "--branch", "main", "--json", at=sandbox).json["objects"] == 0
    done = lepton("du", "--branch", "nowhere", at=sandbox)
    assert (done.code, "'nowhere' is no branch" in done.err) == (2, True)


def test_du_of_pointers_says_what_is_not_here(pointers: GitSandbox, lepton: Lepton) -> None:
    done = lepton("du", at=pointers)
    assert "2 are not here" in done.out


def test_env_says_which_rule_decided_and_never_a_token(
    sandbox: GitSandbox, lepton: Lepton, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_LEPTON_TOKEN", "hush-hush")
    sandbox.git("config", "lepton.url", "https://me:password@store.example/a/b")
    text, found = lepton("env", at=sandbox), lepton("env", "--json", at=sandbox)
    for done in (text, found):
        assert done.code == 0
        assert "hush-hush" not in done.out
        assert "password" not in done.out
    assert found.json["store"]["place"] == "https://store.example/a/b"
    assert found.json["store"]["rule"] == "git config lepton.url"
    assert found.json["settings"]["GIT_LEPTON_TOKEN"] == {"value": "set", "source": "GIT_LEPTON_TOKEN"}


def test_env_works_anywhere(tmp_path: Path, lepton: Lepton) -> None:
    assert lepton("env", "--json", at=tmp_path).json["repository"] is None


def test_doctor_finds_what_is_wrong_and_says_how_to_mend_it(sandbox: GitSandbox, lepton: Lepton) -> None:
    sandbox.git("config", "filter.lepton.process", "no-such-program")
    sandbox.write(".gitattributes", "*.bin filter=lepton -text\n* text=auto\n")
    sandbox.git("remote", "set-url", "origin", "https://github.com/x/y")
    sandbox.path(".git/hooks/pre-push").unlink()
    done = lepton("doctor", "--json", at=sandbox)
    assert done.code == 1
    bad = {finding["subject"]: finding for finding in done.json if not finding["ok"]}
    assert {"filter", "attributes", "pre-push hook", "store"} <= bad.keys()
    assert bad["filter"]["fix"] == "git lepton install"
    assert "BAD  filter: does not start" in lepton("doctor", at=sandbox).out


def test_doctor_is_content_with_a_sound_set_up(sandbox: GitSandbox, lepton: Lepton, monkeypatch: pytest.MonkeyPatch) -> None:
    import os
    import sys

    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    assert lepton("install", at=sandbox).code == 0
    done = lepton("doctor", at=sandbox)
    assert done.code == 0, done.out


def weights_found(lepton: Lepton, at: GitSandbox) -> list[tuple[str, str]]:
    """What doctor finds wrong with weights: its sentence, and what to do."""
    done = lepton("doctor", "--json", at=at)
    found = [(finding["message"], finding["fix"]) for finding in done.json if finding["subject"] == "weights"]
    assert done.code == 1 or not found
    return found


def test_doctor_names_weights_that_neither_this_clone_nor_a_remote_has(
    pointers: GitSandbox, tmp_path: Path, lepton: Lepton
) -> None:
    assert weights_found(lepton, pointers) == []  # not here, but to be had
    pointers.git("init", "--quiet", "--bare", str(tmp_path / "empty.git"))
    pointers.git("remote", "add", "backup", str(tmp_path / "shared.git"))
    pointers.git("remote", "set-url", "origin", str(tmp_path / "empty.git"))
    assert weights_found(lepton, pointers) == []  # another remote has them
    pointers.git("remote", "set-url", "backup", "lepton::http://127.0.0.1:9/models")
    ((said, _),) = weights_found(lepton, pointers)
    assert said.startswith("not here, and perhaps nowhere: models/two.bin, one.bin: ")
    pointers.git("remote", "remove", "backup")
    ((said, fix),) = weights_found(lepton, pointers)
    assert said == "neither this clone nor a remote has those of models/two.bin, one.bin"
    assert "git lepton push --all" in fix


def test_doctor_waits_once_for_a_store_that_does_not_answer(
    pointers: GitSandbox, lepton: Lepton, monkeypatch: pytest.MonkeyPatch
) -> None:
    from git_lepton.workflow.setup import doctor

    monkeypatch.setattr(doctor, "find_lost", lambda _: pytest.fail("the store was asked again"))
    pointers.git("remote", "set-url", "origin", "lepton::http://127.0.0.1:9/models")
    found = [finding for finding in lepton("doctor", "--json", at=pointers).json if not finding["ok"]]
    assert "store" in {finding["subject"] for finding in found}


def test_fsck_of_a_sound_repository(sandbox: GitSandbox, lepton: Lepton) -> None:
    assert lepton("fsck", at=sandbox).code == 0
    assert lepton("fsck", "--all", "--json", at=sandbox).json == {
        "objects": 2,
        "restorable": 2,
        "findings": [],
        "unseen": [],
        "purged": 0,
        "left_out": 0,
    }


def test_fsck_names_what_is_missing_here_and_on_the_store(pointers: GitSandbox, sandbox: GitSandbox, lepton: Lepton) -> None:
    done = lepton("fsck", at=pointers)
    assert done.code == 4
    assert "missing: models/two.bin" in done.out
    assert "hint: `git lepton fetch`" in done.out
    assert lepton("fsck", "--remote", at=pointers).code == 0
    sandbox.commit("a change", {"new.bin": b"new" * 5000})
    done = lepton("fsck", "--remote", at=sandbox)
    assert done.code == 4
    assert "missing: new.bin" in done.out
    assert "hint: `git lepton push --all`" in done.out


def test_fsck_finds_damage_in_the_local_store(sandbox: GitSandbox, lepton: Lepton) -> None:
    for pack in (sandbox.lepton / "packs").iterdir():
        data = bytearray(pack.read_bytes())
        data[len(data) // 2] ^= 1
        pack.chmod(0o644)
        pack.write_bytes(data)
    done = lepton("fsck", at=sandbox)
    assert done.code == 7
    assert "corrupt: " in done.out


def test_fsck_names_raw_weights_bad_pointers_and_overruled_attributes(sandbox: GitSandbox, lepton: Lepton) -> None:
    switched_off = ("-c", "filter.lepton.process=", "-c", "filter.lepton.required=false")
    sandbox.write("raw.bin", b"raw" * 1000)
    sandbox.write("bad.txt", "version git-lepton/v1\noid sha256:zz\nsize 1\n")
    sandbox.write("empty.bin", b"")
    sandbox.git(*switched_off, "add", "raw.bin", "bad.txt", "empty.bin")
    sandbox.git(*switched_off, "commit", "--quiet", "-m", "raw")
    done = lepton("fsck", "--pointers", "--json", at=sandbox)
    assert done.code == 7
    assert {(finding["kind"], finding["subject"]) for finding in done.json["findings"]} == {
        ("bad pointer", "bad.txt"),
        ("raw weights in git", "raw.bin"),
    }
    sandbox.git("rm", "--quiet", "--cached", "bad.txt", "raw.bin")
    sandbox.write(".gitattributes", "*.bin filter=lepton -text\n* text=auto\n")
    sandbox.git(*switched_off, "commit", "--quiet", "-m", "away")
    done = lepton("fsck", "--pointers", at=sandbox)
    assert done.code == 1
    assert "attributes: one.bin" in done.out


@pytest.mark.parametrize("command", [("status",), ("status", "--json"), ("env",), ("env", "--json"), ("doctor",)])
def test_a_password_in_a_remotes_address_is_not_shown(sandbox: GitSandbox, lepton: Lepton, command: tuple[str, ...]) -> None:
    sandbox.git("config", "branch.main.remote", "https://me:s3cret@store.example/a/b")
    done = lepton(*command, at=sandbox)
    assert "s3cret" not in done.out + done.err
