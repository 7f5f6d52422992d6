"""A small network of dense layers, trained with numpy alone (Adam, cross entropy), and its safetensors file."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from git_lepton.entry.quickstart.digits import Digits, Floats

LAYERS = (64, 2048, 1536, 512, 10)  # 4.1 million parameters


class Network:
    """Dense layers with ReLU between them. `weights[i]` has the shape (inputs, outputs), `biases[i]` (outputs,)."""

    def __init__(self, seed: int, layers: Sequence[int] = LAYERS) -> None:
        rng = np.random.default_rng(seed)
        sizes = list(pairwise(layers))
        self.weights: list[Floats] = [
            (rng.standard_normal(size, dtype=np.float32) * np.float32(np.sqrt(2 / size[0]))) for size in sizes
        ]
        self.biases: list[Floats] = [np.zeros(outputs, np.float32) for _, outputs in sizes]

    @property
    def parameters(self) -> int:
        return sum(array.size for array in (*self.weights, *self.biases))

    def activations(self, images: Floats) -> list[Floats]:
        """The input of each layer, then the logits."""
        values = [images]
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            value = values[-1] @ weight + bias
            values.append(value if index == len(self.weights) - 1 else np.maximum(value, 0))
        return values

    def accuracy(self, digits: Digits) -> float:
        """The share of these digits that the network names right."""
        return float(np.mean(self.activations(digits.images)[-1].argmax(axis=1) == digits.labels))

    def train(self, digits: Digits, *, epochs: int, seed: int, rate: float = 1e-3, first_layer: int = 0, batch: int = 64) -> None:
        """Learn from these digits; layers below `first_layer` stay bit for bit as they are."""
        rng = np.random.default_rng(seed)
        trained = [(array, np.zeros_like(array), np.zeros_like(array)) for array in self._trained(first_layer)]
        step = 0
        for _ in range(epochs):
            order = rng.permutation(len(digits.labels))
            for start in range(0, len(order), batch):
                step += 1
                part = order[start : start + batch]
                gradients = self._gradients(Digits(digits.images[part], digits.labels[part]), first_layer)
                for (array, mean, square), gradient in zip(trained, gradients, strict=True):
                    _adam(array, mean, square, gradient, rate, step)

    def _trained(self, first_layer: int) -> list[Floats]:
        pairs = zip(self.weights[first_layer:], self.biases[first_layer:], strict=True)
        return [array for pair in pairs for array in pair]

    def _gradients(self, digits: Digits, first_layer: int) -> list[Floats]:
        """Gradients of weight and bias of each trained layer, in the order of `_trained`."""
        values = self.activations(digits.images)
        exponents = np.exp(values[-1] - values[-1].max(axis=1, keepdims=True))
        error = exponents / exponents.sum(axis=1, keepdims=True)
        error[np.arange(len(digits.labels)), digits.labels] -= 1
        error /= np.float32(len(digits.labels))
        gradients: list[Floats] = []
        for index in range(len(self.weights) - 1, first_layer - 1, -1):
            gradients = [values[index].T @ error, error.sum(axis=0), *gradients]
            if index > first_layer:
                error = (error @ self.weights[index].T) * (values[index] > 0)
        return gradients

    def safetensors(self, note: str) -> bytes:
        """The network as the bytes of a safetensors file, with `note` in its metadata."""
        tensors = {f"layers.{i}.weight": array for i, array in enumerate(self.weights)}
        tensors |= {f"layers.{i}.bias": array for i, array in enumerate(self.biases)}
        header: dict[str, object] = {"__metadata__": {"format": "np", "note": note}}
        offset = 0
        for name, array in tensors.items():
            header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [offset, offset + array.nbytes]}
            offset += array.nbytes
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        return b"".join([struct.pack("<Q", len(text)), text, *(array.astype("<f4").tobytes() for array in tensors.values())])


def _adam(array: Floats, mean: Floats, square: Floats, gradient: Floats, rate: float, step: int) -> None:
    mean += 0.1 * (gradient - mean)
    square += 0.001 * (gradient * gradient - square)
    scale = np.float32(rate * np.sqrt(1 - 0.999**step) / (1 - 0.9**step))
    array -= scale * mean / (np.sqrt(square) + np.float32(1e-8))
