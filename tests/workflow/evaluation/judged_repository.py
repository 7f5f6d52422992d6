"""A repository with a model whose answers are its weights, so that a test decides how right it is, and an evaluation that marks them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from git_lepton.entry import cli
from tests.support.git_sandbox import GitSandbox

TOML = """
[model.classifier]
files = ["model/*"]

[eval.marks]
command = "python3 mark.py {model} {result}"
inputs = ["mark.py", "right.txt"]
timeout = "60s"

[gate.marks.accuracy]
goal = "higher"
min = 0.5
max_regression = 0.02
"""
MARK = """
import json, pathlib, sys
place = pathlib.Path(sys.argv[1])
found = {}
for path in sorted(place.glob("*.safetensors") if place.is_dir() else [place]):
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    for name, tensor in json.loads(data[8 : 8 + length]).items():
        if name != "__metadata__":
            begin, end = tensor["data_offsets"]
            found[name] = data[8 + length + begin : 8 + length + end]
answers = b"".join(found[name] for name in sorted(found))
right = bytes(map(int, pathlib.Path("right.txt").read_text().split()))
scores = [int(a == b) for a, b in zip(answers, right)]
json.dump({"metrics": {"accuracy": sum(scores) / len(scores)}, "items": {"accuracy": scores}}, open(sys.argv[2], "w"))
with open("runs.log", "a") as log:
    log.write(f"{place.name} {sorted(p.name for p in place.iterdir()) if place.is_dir() else ''}\\n")
"""
ITEMS = 400


def weights(answers: Sequence[int], parts: int = 1) -> list[bytes]:
    """The answers (0..255) as the tensors of so many safetensors files."""
    data = bytes(answers)
    step = -(-len(data) // 4)
    tensors = {f"t{n}": data[n * step : (n + 1) * step] for n in range(4)}
    files = []
    for part in range(parts):
        inside = {name: tensor for number, (name, tensor) in enumerate(tensors.items()) if number % parts == part}
        header, position = {}, 0
        for name, tensor in inside.items():
            header[name] = {"dtype": "U8", "shape": [len(tensor)], "data_offsets": [position, position + len(tensor)]}
            position += len(tensor)
        text = json.dumps(header).encode()
        files.append(len(text).to_bytes(8, "little") + text + b"".join(inside.values()))
    return files


def answering(right: int, start: int = 0) -> list[int]:
    """Answers of which so many are right, from this item on round about: right is 1."""
    return [1 if (item - start) % ITEMS < right else 0 for item in range(ITEMS)]


class Told:
    """What a command said, and its exit code."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


class JudgedRepository:
    """The repository, and `lepton`: a command of ours, run in this process."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox = GitSandbox.create(folder, track="*.safetensors")
        self._monkeypatch, self._capsys = monkeypatch, capsys
        self.write("lepton.toml", TOML)
        self.write("mark.py", MARK)
        self.write("right.txt", " ".join("1" * ITEMS))
        self.write(".gitignore", "runs.log\n")

    @classmethod
    def at(cls, other: JudgedRepository, sandbox: GitSandbox) -> JudgedRepository:
        """Another repository, as it is, with the same ways to run commands."""
        made = cls.__new__(cls)
        made.sandbox, made._monkeypatch, made._capsys = sandbox, other._monkeypatch, other._capsys
        return made

    def write(self, name: str, text: str) -> None:
        path = self.sandbox.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def model(self, answers: Sequence[int], parts: int = 1) -> None:
        """The model in the work tree, in so many files, staged with all else."""
        folder = self.sandbox.folder / "model"
        folder.mkdir(exist_ok=True)
        for old in folder.glob("*.safetensors"):
            old.unlink()
        for number, data in enumerate(weights(answers, parts), 1):
            name = "model.safetensors" if parts == 1 else f"model-{number:05}-of-{parts:05}.safetensors"
            (folder / name).write_bytes(data)
        self.git("add", "--all")

    def git(self, *arguments: str) -> str:
        return self.sandbox.git(*arguments)

    def commit(self, message: str) -> None:
        self.git("commit", "--quiet", "--allow-empty", "--message", message)

    def lepton(self, *arguments: str) -> Told:
        self._monkeypatch.chdir(self.sandbox.folder)
        self._capsys.readouterr()
        code = cli.main(list(arguments))
        out, err = self._capsys.readouterr()
        return Told(code, out, err)

    @property
    def runs(self) -> int:
        """How often the evaluation ran."""
        log = self.sandbox.folder / "runs.log"
        return len(log.read_text().splitlines()) if log.exists() else 0


MakeRepository = Callable[[], JudgedRepository]
