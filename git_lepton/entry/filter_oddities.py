"""Small texts that stand where weights should be and are of no use: damaged pointers, those of a later version, other tools'
placeholders. One of them in a history stops nothing but itself: it stays as it is, and is named at the end.
"""

from __future__ import annotations

from git_lepton.entry.filter_weights import Weights, complain, count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.errors import LeptonError

_NAMED = 5


class Oddities:
    """Those that one filter process met."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._met: dict[str, tuple[str, list[str]]] = {}  # by message: the hint, and the paths

    def note(self, path: str, error: LeptonError) -> None:
        """The file at `path` stays as it is, because of `error`; named by `tell`."""
        paths = self._met.setdefault(error.message, (error.hint, []))[1]
        if path not in paths:
            paths.append(path)

    def known(self, path: str, text: bytes) -> bytes | None:
        """What the index has at `path`, if that is this very text or its pointer; None where the text is new there: so whatever else
        git looks at the file for goes on."""
        import hashlib

        git = self._weights.workspace.git
        taken = b"oid sha256:" + hashlib.sha256(text).hexdigest().encode() + b"\n"
        for blob in git.small_blobs([entry.blob for entry in git.index_entries(path) if entry.path == path]):
            if blob.data == text or taken in blob.data:
                return blob.data
        return None

    def tell(self) -> None:
        """Say which files stayed as they are, why, and what to do."""
        for message, (hint, paths) in self._met.items():
            more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
            stay = "stays as it is" if len(paths) == 1 else "stay as they are"
            complain(f"{count(paths, 'file')} {stay}: {message}: {', '.join(paths[:_NAMED])}{more}", hint)
