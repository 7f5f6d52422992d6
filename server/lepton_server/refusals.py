"""The one way to answer no: an error that carries a code of the wire protocol."""

from __future__ import annotations

from git_lepton.errors import LeptonError, WrongUse


class Refusal(LeptonError):
    """The answer to this request is no. `code` is a key of `protocol.ERRORS`. To a command of lepton-server it was wrong use."""

    exit_code = WrongUse.exit_code

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code


def not_found() -> Refusal:
    """The same words for what is not there and for what the caller may not know of."""
    hint = "Check the address; if it is right, ask whoever owns it for the right."  # who asks is logged in, or was told to
    return Refusal("not_found", "There is no such thing here, or you may not see it.", hint)
