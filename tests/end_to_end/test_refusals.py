"""Nothing lands half: what a push is refused for, and that no ref moved and no secret travelled."""

from __future__ import annotations

import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import HERE
from tests.end_to_end.world import World
from tests.support.tiny_models import model

ONE, TWO = model(1), model(1, changed=2)
NAME = "model.safetensors"


def plain(url: str) -> str:
    """The http URL of the same repository for a git without our helper."""
    return url.removeprefix("lepton::") + ".git"


def with_token(world: World, url: str) -> list[str]:
    authority = url.removeprefix("http://")
    return ["push", f"http://x:{world.environment['GIT_LEPTON_TOKEN']}@{authority}", "main"]


def _with_weights(world: World) -> Path:
    place = world.repository()
    world.commit(place, NAME, ONE)
    return place


def test_neither_pointers_without_weights_nor_raw_weights_land(world: World, url: str) -> None:
    place = world.repository(remote=url)
    world.git(place, "push", "-q", "origin", "main")
    before = world.git(place, "ls-remote", "origin", "main")
    (place / NAME).write_bytes(ONE)
    off = ["-c", "filter.lepton.process=", "-c", "filter.lepton.required=false"]
    world.git(place, *off, "add", NAME)
    world.git(place, *off, "commit", "-qm", "raw")
    assert world.git(place, "cat-file", "-s", f"HEAD:{NAME}").strip() == str(len(ONE))
    words = world.git(place, "push", "origin", "main", fails=True)
    assert NAME in words
    assert "renormalize" in words
    assert world.git(place, "ls-remote", "origin", "main") == before

    world.git(place, "reset", "-q", "--hard", "HEAD~1")
    world.commit(place, NAME, ONE)
    for option in (["--no-verify"], []):
        if not option:
            (place / ".git/hooks/pre-push").unlink()
        words = world.git(place, *with_token(world, plain(url)), *option, fails=True)
        assert NAME in words
        assert "hint" in words or "git lepton push" in words
        assert world.git(place, "ls-remote", "origin", "main") == before


@HERE
def test_a_push_whose_weights_are_gone_names_them(world: World, url: str) -> None:
    place = world.like(_with_weights, url)
    shutil.rmtree(place / ".git/lepton")
    done = world.run(["git", "push", "origin", "main"], place, fails=True)
    assert NAME in done.stderr.decode()
    assert "not found" in world.git(place, "ls-remote", "origin", fails=True)


class Listener(http.server.BaseHTTPRequestHandler):
    """Writes down whatever reaches it."""

    seen: list[str]

    def handle_any(self) -> None:
        self.seen.append(f"{self.command} {self.path} {self.headers}")
        self.send_response(404)
        self.end_headers()

    do_GET = do_POST = do_PUT = handle_any

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def foreign() -> Iterator[tuple[str, list[str]]]:
    """A host that nobody trusts, and what reached it."""
    seen: list[str] = []
    handler = type("Handler", (Listener,), {"seen": seen})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", seen
    server.shutdown()
    thread.join()
    server.server_close()


@HERE
def test_a_foreign_store_in_the_tree_gets_nothing(world: World, foreign: tuple[str, list[str]]) -> None:
    address, seen = foreign
    bare = world.folder / "remote.git"
    world.git(world.folder, "init", "-q", "--bare", str(bare))
    place = world.repository(remote=f"file://{bare}")
    (place / "lepton.toml").write_text(f'[store]\nurl = "{address}/evil/store"\n')
    world.git(place, "add", "lepton.toml")
    world.commit(place, NAME, ONE)
    token = {"GIT_LEPTON_TOKEN": "secret-token", "GIT_LEPTON_HOST": ""}
    done = world.run(["git", "push", "origin", "main"], place, fails=True, extra=token)
    assert "trust" in done.stderr.decode()
    world.run(["git", "lepton", "push"], place, fails=True, extra=token)
    (place / ".git/lepton").rename(world.folder / "aside")
    world.run(["git", "lepton", "fetch"], place, fails=True, extra=token)
    (world.folder / "aside").rename(place / ".git/lepton")
    assert seen == []
    world.git(place, "lepton", "trust", address.removeprefix("http://"))
    world.run(["git", "lepton", "push"], place, fails=True, extra=token)
    assert seen
    assert not any("secret-token" in request for request in seen)


@pytest.mark.thorough
@HERE
def test_a_pull_request_cannot_send_weights_to_another_repository_of_the_same_host(world: World, url: str) -> None:
    """The host is the git remote's own; the repository that the tree names is not."""
    host, _, path = url.removeprefix("lepton::http://").partition("/")
    token = world.environment["GIT_LEPTON_TOKEN"]
    place = world.repository(remote=f"http://{host}/{path}.git")
    world.git(place, "config", "remote.origin.url", f"http://x:{token}@{host}/{path}.git")
    (place / "lepton.toml").write_text(f'[store]\nurl = "http://{host}/{path}"\n')
    world.git(place, "add", "lepton.toml")
    world.commit(place, NAME, ONE)
    world.git(place, "push", "origin", "main")
    (place / "lepton.toml").write_text(f'[store]\nurl = "http://{host}/{path}-drop"\n')
    world.git(place, "add", "lepton.toml")
    world.commit(place, NAME, ONE + b"secret")
    done = world.run(["git", "push", "origin", "main"], place, fails=True)
    said = done.stderr.decode()
    assert f"git lepton trust {host}/{path}-drop" in said
    assert token not in said
    done = world.run(["git", "lepton", "push"], place, fails=True)
    assert done.returncode == 2, done.stderr.decode()


@HERE
def test_a_wrong_token_is_one_sentence_and_exit_6(world: World, url: str) -> None:
    place = world.like(_with_weights, url)
    done = world.run(["git", "lepton", "push"], place, fails=True, extra={"GIT_LEPTON_TOKEN": "lepton_wrong"})
    assert done.returncode == 6, done.stderr.decode()
    assert "login" in done.stderr.decode()


@pytest.mark.thorough
@HERE
def test_a_token_out_of_a_file_with_a_line_end_is_that_token(world: World, url: str) -> None:
    place = world.like(_with_weights, url)
    extra = {name: f"{world.environment[name]}\r\n" for name in ("GIT_LEPTON_TOKEN", "GIT_LEPTON_HOST")}
    for number, command in enumerate(
        (
            ["git", "push", "origin", "main"],
            ["git", "clone", "-q", url, "clone"],
            ["git", "lepton", "fsck", "--remote"],
            ["git", "lepton", "locks"],
            ["git", "lepton", "download", url, "--to", "files"],
        )
    ):
        done = world.run(command, world.folder if number in (1, 4) else place, extra=extra)
        assert world.environment["GIT_LEPTON_TOKEN"] not in (done.stdout + done.stderr).decode()
    assert (world.folder / "clone" / NAME).read_bytes() == (world.folder / "files" / NAME).read_bytes() == ONE


@HERE
def test_no_verify_uploads_all_the_same_and_a_server_that_is_gone_leaves_pointers_and_says_so(world: World, url: str) -> None:
    place = world.like(_with_weights, url)
    world.git(place, "push", "-q", "--no-verify", "origin", "main")
    world.git(world.folder, "clone", "-q", url, "there")
    assert (world.folder / "there" / NAME).read_bytes() == ONE
    bare = world.folder / "mirror.git"
    world.git(world.folder, "clone", "-q", "--bare", url, str(bare))
    gone = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "lepton.url", "GIT_CONFIG_VALUE_0": "http://127.0.0.1:9/admin/none"}
    world.git(world.folder, "lepton", "install")
    done = world.run(["git", "clone", "-q", f"file://{bare}", "elsewhere"], extra=gone)
    clone = world.folder / "elsewhere"
    world.is_pointer(clone, f"HEAD:{NAME}", ONE)
    assert (clone / NAME).stat().st_size < 200
    assert "git lepton pull" in done.stderr.decode()
    assert world.run(["git", "lepton", "status"], clone, fails=True, extra=gone).returncode == 4
    assert world.run(["git", "lepton", "pull"], clone, fails=True, extra=gone).returncode == 5
    world.git(clone, "config", "lepton.url", url.removeprefix("lepton::"))
    world.git(clone, "lepton", "pull")
    assert (clone / NAME).read_bytes() == ONE
    world.clean(clone)


@HERE
def test_a_pointer_of_an_unknown_version_stays_as_it_is_and_is_named(world: World) -> None:
    place = world.repository()
    text = b"version git-lepton/v9\noid blake7:00\nsize 3\n"
    off = ["-c", "filter.lepton.process=", "-c", "filter.lepton.required=false"]
    (place / NAME).write_bytes(text)
    world.git(place, *off, "add", NAME)
    world.git(place, *off, "commit", "-qm", "from the future")
    (place / NAME).unlink()
    words = world.run(["git", "checkout", "--", NAME], place).stderr.decode()
    assert f"1 file stays as it is: this pointer has version 'v9'; this git-lepton knows v1: {NAME}" in words
    assert (place / NAME).read_bytes() == text


@pytest.mark.thorough
@HERE
def test_the_program_gone_from_everywhere_is_one_sentence(world: World) -> None:
    place = world.repository()
    world.git(
        place,
        "config",
        "filter.lepton.process",
        _without_interpreter(world.git(place, "config", "filter.lepton.process").strip()),
    )
    (place / NAME).write_bytes(ONE)
    words = world.git(place, "add", NAME, fails=True, extra={"PATH": "/usr/bin:/bin"})
    assert "git-lepton" in words
    assert "install" in words


def _without_interpreter(command: str) -> str:
    import sys

    return command.replace(sys.executable, str(Path(os.sep) / "nowhere" / "python"))
