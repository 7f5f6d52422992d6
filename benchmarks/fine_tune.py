"""A real fine-tune of MiniLM on the CPU: AdamW, InfoNCE, on the docstrings of Python's standard library (what a thing is called and how it
is described first, against what else is said of it). Some minutes on two cores; the same seeds every time."""

from __future__ import annotations

import ast
import random
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.encoder import WordPiece, sentence_vectors

if TYPE_CHECKING:
    import torch

_RATE, _DECAY, _SCALE, _BATCH, _LENGTH, _SEED = 2e-5, 0.01, 20.0, 16, 32, 20
Arrays = dict[str, np.ndarray]
Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class FineTune:
    """`arrays` are the model's fp32 tensors; only those that `trained` says yes to learn. Steps are taken one by one, so that checkpoints
    can be written between them."""

    def __init__(
        self, arrays: Mapping[str, np.ndarray], vocabulary: Sequence[str], trained: Callable[[str], bool], threads: int
    ) -> None:
        import torch

        torch.set_num_threads(threads)
        torch.manual_seed(_SEED)
        self._words = WordPiece(vocabulary)
        self._pairs = list(_described())
        random.Random(_SEED).shuffle(self._pairs)
        self.weights = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        learning = [tensor.requires_grad_() for name, tensor in self.weights.items() if trained(name)]
        self._optimizer = torch.optim.AdamW(learning, lr=_RATE, weight_decay=_DECAY)
        self.step = 0

    def advance(self) -> float:
        """One step on the next batch; its loss."""
        import torch
        from torch.nn import functional

        start = self.step * _BATCH % (len(self._pairs) - _BATCH)
        batch = self._pairs[start : start + _BATCH]
        vectors = [sentence_vectors(self.weights, *self._words.batch([pair[side] for pair in batch], _LENGTH)) for side in (0, 1)]
        loss = functional.cross_entropy(vectors[0] @ vectors[1].T * _SCALE, torch.arange(len(batch)))
        self._optimizer.zero_grad()
        torch.autograd.backward([loss])
        self._optimizer.step()
        self.step += 1
        return float(loss.detach())

    def arrays(self) -> Arrays:
        return {name: tensor.detach().numpy().copy() for name, tensor in self.weights.items()}

    def checkpoint(self) -> dict[str, Any]:
        """What trainers save: the weights, AdamW's two moments of each, the step."""
        model: dict[str, torch.Tensor] = {name: tensor.detach().clone() for name, tensor in self.weights.items()}
        return {"model": model, "optimizer": self._optimizer.state_dict(), "step": self.step}


def _described() -> Iterator[tuple[str, str]]:
    """(name and first paragraph, the rest) of every docstring that has both, out of the standard library's sources; nothing is imported."""
    library = Path(sysconfig.get_path("stdlib"))
    for source in sorted(path for path in library.rglob("*.py") if not {"test", "tests", "site-packages"} & set(path.parts)):
        try:
            tree = ast.parse(source.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError, ValueError):
            continue  # Some files of the library are broken on purpose
        for node in ast.walk(tree):
            if isinstance(node, Documented):
                first, _, rest = (ast.get_docstring(node) or "").partition("\n\n")
                if len(rest) > 60:
                    yield f"{node.name.replace('_', ' ')}: {first}", rest
