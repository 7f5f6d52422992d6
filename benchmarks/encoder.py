"""all-MiniLM-L6-v2 as a torch function of its tensors' names, and its tokenizer: what a real fine-tune needs, and no more.

torch is imported by whoever calls; sizes are those of the published model (6 layers, 384 wide, 12 heads).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_LAYERS, _HEADS, _EPSILON = 6, 12, 1e-12
_WORDS = re.compile(r"[a-z]+|[0-9]+|[^\sa-z0-9]")
Weights = Mapping[str, "torch.Tensor"]


class WordPiece:
    """Greedy longest-match pieces of lower-cased words, by the vocabulary in which a line is a piece and its number the id."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._ids = {piece: index for index, piece in enumerate(vocabulary)}

    def batch(self, texts: Sequence[str], length: int) -> tuple[torch.Tensor, torch.Tensor]:
        """(ids, mask), both int64 of shape (texts, length): [CLS] pieces [SEP], padded with [PAD], cut to `length`."""
        import torch

        rows = [[self._ids["[CLS]"], *self._pieces(text)[: length - 2], self._ids["[SEP]"]] for text in texts]
        ids = torch.zeros(len(rows), length, dtype=torch.int64)
        mask = torch.zeros(len(rows), length, dtype=torch.int64)
        for index, row in enumerate(rows):
            ids[index, : len(row)] = torch.tensor(row)
            mask[index, : len(row)] = 1
        return ids, mask

    def _pieces(self, text: str) -> list[int]:
        plain = "".join(c for c in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(c) != "Mn")
        return [piece for word in _WORDS.findall(plain) for piece in self._word(word)]

    def _word(self, word: str) -> list[int]:
        found, start = [], 0
        while start < len(word):
            for stop in range(len(word), start, -1):
                piece = self._ids.get(("##" if start else "") + word[start:stop])
                if piece is not None:
                    break
            else:
                return [self._ids["[UNK]"]]
            found.append(piece)
            start = stop
        return found


def sentence_vectors(weights: Weights, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Unit vectors of shape (texts, 384): the encoder's outputs, averaged over the tokens that are there."""
    import torch
    from torch.nn import functional

    hidden = (
        functional.embedding(ids, weights["embeddings.word_embeddings.weight"])
        + weights["embeddings.position_embeddings.weight"][: ids.shape[1]]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    hidden = _normed(weights, "embeddings.LayerNorm", hidden)
    seen = mask.bool()[:, None, None, :]
    for layer in range(_LAYERS):
        hidden = _layer(weights, f"encoder.layer.{layer}", hidden, seen)
    there = mask[..., None].to(hidden.dtype)
    return torch.nn.functional.normalize((hidden * there).sum(1) / there.sum(1), dim=1)


def _layer(weights: Weights, name: str, hidden: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    def heads(part: str) -> torch.Tensor:
        flat = _dense(weights, f"{name}.attention.self.{part}", hidden)
        return flat.view(*flat.shape[:2], _HEADS, -1).transpose(1, 2)

    mixed = functional.scaled_dot_product_attention(heads("query"), heads("key"), heads("value"), attn_mask=seen)
    mixed = mixed.transpose(1, 2).reshape(hidden.shape)
    attended = _dense(weights, f"{name}.attention.output.dense", mixed)
    hidden = _normed(weights, f"{name}.attention.output.LayerNorm", hidden + attended)
    wide = functional.gelu(_dense(weights, f"{name}.intermediate.dense", hidden))
    return _normed(weights, f"{name}.output.LayerNorm", hidden + _dense(weights, f"{name}.output.dense", wide))


def _dense(weights: Weights, name: str, values: torch.Tensor) -> torch.Tensor:
    return values @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def _normed(weights: Weights, name: str, values: torch.Tensor) -> torch.Tensor:
    from torch.nn import functional

    return functional.layer_norm(values, values.shape[-1:], weights[f"{name}.weight"], weights[f"{name}.bias"], _EPSILON)
