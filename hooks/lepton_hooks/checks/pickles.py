"""The check of pickles: what loading a file would import and call, by name; nothing is ever unpickled.

A name passes that is known to rebuild tensors and containers and nothing else, as torch.load(weights_only=True) has it. A name that is
known to reach the system is dangerous; one that is neither is unknown, and refused as well: its module runs when it is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from lepton_hooks.check import CheckedFile, Finding, Outcome
from lepton_hooks.checks.known_names import DANGEROUS, HARMLESS
from lepton_hooks.checks.pickle_names import Name, Unreadable
from lepton_hooks.checks.pickled_files import Pickles, look_into

_SUFFIXES = (
    *(".pkl", ".pickle", ".p", ".dill", ".joblib"),
    *(".pt", ".pth", ".bin", ".ckpt", ".t7", ".model", ".mar", ".nemo"),
    *(".npy", ".npz", ".dat", ".data"),
    *(".gz", ".bz2", ".xz", ".zip"),
)
_WAY_OUT = "keep tensors in safetensors instead"


class PicklesCheck:
    """Refuses files whose loading would run code. `allowed`: patterns of names, such as `mypackage.*`, that its user vouches for."""

    name = "pickles"

    def __init__(self, allowed: Sequence[str] = ()) -> None:
        self._allowed = tuple(allowed)

    def wants(self, path: str) -> bool:
        return PurePosixPath(path).name.lower().endswith(_SUFFIXES)

    def look(self, file: CheckedFile) -> Finding:
        found = Pickles()
        try:
            with file.content.open("rb") as stream:
                look_into(stream, file.content.name, found)
        except Unreadable as error:
            return Finding(Outcome.FAILED, f"it cannot be followed to its end ({error}); {_WAY_OUT}")
        if not found.pickles:
            return Finding(Outcome.SKIPPED, "it is no pickle")
        for kind, chosen in (("dangerous", DANGEROUS), ("unknown", ("*",))):
            names = [name for name in found.names if not _is(name, (*HARMLESS, *self._allowed)) and _is(name, chosen)]
            if names:
                told = ", ".join(dict.fromkeys(map(str, names[:5])))
                what = (
                    "loading it would call"
                    if kind == "dangerous"
                    else "loading it would import, which runs code that is not known:"
                )
                return Finding(Outcome.FAILED, f"{what} {told}; {_WAY_OUT}")
        return Finding(Outcome.PASSED, f"loading it imports {len(set(found.names))} names, all of them harmless")


def _is(name: Name, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(str(name), pattern) for pattern in patterns)
