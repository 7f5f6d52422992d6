"""The one way to answer no: an error that carries a code of the wire protocol."""

from __future__ import annotations

from git_lepton.errors import LeptonError


class Refusal(LeptonError):
    """The answer to this request is no. `code` is a key of `protocol.ERRORS`."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


def not_found() -> Refusal:
    """The same words for what is not there and for what the caller may not know of."""
    return Refusal("not_found", "There is no such thing here, or you may not see it.", "Check the address and your token.")
