"""What the benchmarks make is what they say: other programs and git-lepton's own layouts read it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import data, gguf_file, variants
from tests.format.layouts.cutting import tensors


@pytest.fixture(autouse=True, scope="module")
def loaded_torch() -> None:
    """It takes seconds to load, and is loaded where these tests run, not wherever tests are collected."""
    global torch
    import torch


def _model() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = {
        variants.EMBEDDING: (40, 32),
        "encoder.layer.0.attention.self.query.weight": (64, 32),
        "encoder.layer.0.output.dense.bias": (7,),
    }
    return {name: rng.standard_normal(shape, dtype=np.float32) for name, shape in shapes.items()}


def _rounded() -> dict[str, np.ndarray]:
    return {name: data.to_bf16(array) for name, array in _model().items()}


@pytest.mark.thorough
def test_bf16_is_rounded_as_torch_rounds(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    path = data.write_safetensors(tmp_path / "model.safetensors", variants.tagged(_rounded()), {"format": "pt"})
    for name, tensor in load_file(path).items():
        assert torch.equal(tensor, torch.from_numpy(_model()[name]).to(torch.bfloat16))
    read = data.tensors(path)
    assert all(np.array_equal(read[name], array) for name, array in _rounded().items())


def test_torch_file_holds_the_same_tensors(tmp_path: Path) -> None:
    saved = torch.load(variants.as_torch(_rounded(), tmp_path / "model.pt"), weights_only=True)
    assert {name: tensor.view(torch.int16).numpy().tobytes() for name, tensor in saved.items()} == {
        name: array.tobytes() for name, array in _rounded().items()
    }


def test_shards_are_the_model_and_the_index_says_where(tmp_path: Path) -> None:
    files = variants.as_shards(_rounded(), tmp_path, count=2)
    places = json.loads(files["model.safetensors.index.json"].read_text())["weight_map"]
    for name, array in _rounded().items():
        assert np.array_equal(data.tensors(files[places[name]])[name], array)


def test_merged_step_has_rank_eight_and_touches_attention_only() -> None:
    base = _model()
    tuned = {
        name: array + np.random.default_rng(2).standard_normal(array.shape, dtype=np.float32) for name, array in base.items()
    }
    merged = variants.lora_merged(base, tuned)
    changed = [name for name in base if not np.array_equal(base[name], merged[name])]
    assert changed == ["encoder.layer.0.attention.self.query.weight"]
    assert np.linalg.matrix_rank(merged[changed[0]] - base[changed[0]], tol=1e-3) == 8


def test_int8_export_is_within_half_a_step() -> None:
    exported = variants.int8_export(_model())
    scale = exported[f"{variants.EMBEDDING}_scale"][1]
    error = np.abs(exported[variants.EMBEDDING][1] * scale - _model()[variants.EMBEDDING])
    assert (error <= 0.501 * scale).all()


def test_gguf_is_read_by_our_layout(tmp_path: Path) -> None:
    for quantized in (False, True):
        stored = gguf_file.export(_model(), quantized)
        found = tensors(gguf_file.write(tmp_path / "model.gguf", stored).read_bytes())
        assert {name: content for name, (_, _, content) in found.items()} == {
            name: one.data.tobytes() for name, one in stored.items()
        }
