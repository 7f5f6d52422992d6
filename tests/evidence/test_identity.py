"""Digests of versions of models and of evaluations: what changes them, and what does not."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence

from git_lepton.evidence.gates import Evaluation
from git_lepton.evidence.identity import Tensor, VersionFile, evaluation_digest, model_digest
from git_lepton.format.identifiers import ObjectId
from git_lepton.format.pointer import Pointer


def pointer(text: str) -> Pointer:
    return Pointer(ObjectId(hashlib.sha256(text.encode()).digest()), 100)


def tensor(name: str, seed: int = 0) -> Tensor:
    return Tensor(name, "F32", (2, 3), 24, (hashlib.sha256(f"{name}{seed}".encode()).digest(),))


A, B, C = tensor("a"), tensor("b"), tensor("c")
ONE, LEFT, RIGHT, INDEX = pointer("one"), pointer("left"), pointer("right"), pointer("index")
INSIDE = {ONE: [A, B, C], LEFT: [B, A], RIGHT: [C]}
CONFIG = VersionFile("m/config.json", "1" * 40)


def digest(*files: VersionFile, inside: Callable[[Pointer], Sequence[Tensor] | None] = INSIDE.get, base: str = "") -> str:
    return model_digest(files, inside, base).hex()


WHOLE = digest(VersionFile("m/model.safetensors", ONE), CONFIG)


def test_sharding_and_the_names_and_order_of_files_make_no_difference() -> None:
    shards = [VersionFile("m/x-1.safetensors", LEFT), VersionFile("m/x-2.safetensors", RIGHT), CONFIG]
    assert digest(*shards) == WHOLE
    random.Random(3).shuffle(shards)
    assert digest(*shards, VersionFile("m/x.safetensors.index.json", INDEX)) == WHOLE


def test_the_place_of_the_whole_model_makes_no_difference_and_a_folder_inside_does() -> None:
    moved = [VersionFile("elsewhere/model.safetensors", ONE), CONFIG._replace(path="elsewhere/config.json")]
    assert digest(*moved) == WHOLE
    assert digest(VersionFile("m/unet/model.safetensors", ONE), CONFIG) != WHOLE


def test_whatever_the_model_consists_of_makes_a_difference() -> None:
    others = [
        digest(VersionFile("m/model.safetensors", ONE), CONFIG._replace(content="2" * 40)),
        digest(VersionFile("m/model.safetensors", ONE), CONFIG._replace(path="m/tokenizer.json")),
        digest(VersionFile("m/model.safetensors", ONE), CONFIG, inside={ONE: [A, B, tensor("c", 1)]}.get),
        digest(VersionFile("m/model.safetensors", ONE), CONFIG, inside={ONE: [A, B, C._replace(dtype="I32")]}.get),
        digest(VersionFile("m/model.safetensors", ONE), CONFIG, inside={ONE: [A, B, C._replace(shape=(3, 2))]}.get),
        digest(VersionFile("m/model.safetensors", ONE), CONFIG, inside={ONE: [A, B]}.get),
        digest(VersionFile("m/model.safetensors", ONE), CONFIG, inside=lambda _: None),
    ]
    assert len({WHOLE, *others}) == 1 + len(others)


def test_two_tensors_of_one_name_in_a_folder_count_by_files() -> None:
    both = digest(VersionFile("m/a.safetensors", ONE), VersionFile("m/b.safetensors", LEFT))
    swapped = digest(VersionFile("m/a.safetensors", LEFT), VersionFile("m/b.safetensors", ONE))
    assert both != swapped


def test_an_adapter_includes_its_base_and_another_model_does_not() -> None:
    adapter = (VersionFile("m/adapter_model.safetensors", ONE), VersionFile("m/adapter_config.json", "3" * 40))
    assert len({digest(*adapter), digest(*adapter, base="ab"), digest(*adapter, base="cd")}) == 3
    assert digest(VersionFile("m/model.safetensors", ONE), CONFIG, base="ab") == WHOLE


def test_the_digest_is_that_of_the_specification() -> None:
    pieces = [tensor.pieces[0].hex() for tensor in (A, B, C)]
    rows = [f'["{name}","F32",[2,3],["{piece}"]]' for name, piece in zip("abc", pieces, strict=True)]
    weights = hashlib.sha256("\n".join(["lepton-weights-1", *rows, ""]).encode()).hexdigest()
    lines = [f'["file","config.json","git:{"1" * 40}"]', f'["weights","","{weights}"]']
    assert hashlib.sha256("\n".join(["lepton-model-1", *lines, ""]).encode()).hexdigest() == WHOLE


def test_an_evaluation_is_its_command_and_its_inputs() -> None:
    one = Evaluation("digits", "python e.py {model}", ("m",), ("e.py",))
    inputs = {"e.py": "git:" + "1" * 40}
    same = one._replace(name="other", timeout=5.0, stages=("ci",), python="python3")
    assert evaluation_digest(one, inputs) == evaluation_digest(same, inputs)
    assert evaluation_digest(one, inputs) != evaluation_digest(one._replace(command="python e.py {model} -x"), inputs)
    assert evaluation_digest(one, inputs) != evaluation_digest(one, {"e.py": "git:" + "2" * 40})
    text = b'lepton-evaluation-1\n{"command":"python e.py {model}","inputs":{"e.py":"git:' + b"1" * 40 + b'"}}\n'
    assert evaluation_digest(one, inputs) == hashlib.sha256(text).digest()
