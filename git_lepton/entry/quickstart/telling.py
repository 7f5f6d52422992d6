"""The text that a person reads at the end of the quickstart."""

from __future__ import annotations

from git_lepton.entry.quickstart.sandbox import Sandbox
from git_lepton.entry.quickstart.story import MODEL, Story


def told(story: Story, sandbox: Sandbox, seconds: float, *, kept: bool) -> str:
    """The closing words: accuracy, bytes, where it all is, what to type next."""
    first, second = story.versions
    lines = [
        "",
        f"Both versions came back byte for byte ({seconds:.0f} s in all). What git itself keeps of each file:",
        "",
        *(f"    {line}" for line in story.pointer.splitlines()),
        "",
        f"                        accuracy on {story.held_out}     file    git-lfs would send    git-lepton sent",
        *(
            f"  {title:<26}{version.accuracy:>8.1%}{_mb(version.size):>13}{_mb(version.size):>20}{_mb(version.travelled):>19}"
            for title, version in (("version 1, main", first), ("version 2, fine-tune", second))
        ),
        "",
        f"  In all git-lepton sent {_share(story):.0%} of what git-lfs sends: version 2 shares two layers with version 1,",
        "  and what is new travels as its difference to it.",
        "",
        *(_kept(story, sandbox) if kept else _gone()),
        "For your own repository:",
        "",
        "  lepton-server serve --data ~/lepton          a server; prints its address and a token",
        "  git lepton login http://127.0.0.1:8417       keep the token in git's credential helper",
        "  git lepton track '*.safetensors'             in your repository; then git add, commit, push as ever",
        "  git remote add store lepton::http://127.0.0.1:8417/admin/NAME && git push store HEAD",
        "",
    ]
    return "\n".join(lines)


def _kept(story: Story, sandbox: Sandbox) -> list[str]:
    return [
        "Kept, and still running:",
        "",
        f"  {story.work}     the repository; try: git log --stat --all",
        f"  {story.clone}    its clone; try: git lepton status",
        f"  {sandbox.data}   the server's data, its token in admin-token",
        f"  {sandbox.url}    the server, process {sandbox.server_process}; end it: kill {sandbox.server_process}",
        "",
        f"  export GIT_LEPTON_TOKEN=$(cat {sandbox.data}/admin-token) GIT_LEPTON_HOST={sandbox.url.removeprefix('http://')}",
        f"  git clone lepton::{sandbox.url}/admin/digits",
        "",
    ]


def _gone() -> list[str]:
    return [
        f"Server, repositories and {MODEL} are gone again; `git lepton quickstart --keep` leaves them for you to look at.",
        "",
    ]


def _mb(count: int) -> str:
    return f"{count / 1e6:.1f} MB"


def _share(story: Story) -> float:
    return sum(version.travelled for version in story.versions) / sum(version.size for version in story.versions)
