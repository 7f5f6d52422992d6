"""Refusals: errors that carry a code of the wire protocol. The one way in which the server says no to a request."""

from __future__ import annotations

from git_lepton.errors import LeptonError, WrongUse


class Refusal(LeptonError):
    """The answer to this request is no. `code` is a key of `protocol.ERRORS`. To a command of lepton-server it was wrong use."""

    exit_code = WrongUse.exit_code

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.code = code

    @classmethod
    def bad_request(cls, message: str, hint: str = "") -> Refusal:
        """What was asked for makes no sense, whoever asks."""
        return cls("bad_request", message, hint)


def not_found() -> Refusal:
    """The refusal for what is not there and for what the caller may not know of: the same words for both, so that they cannot be told
    apart. No word about logging in: an anonymous request was answered 401 before."""
    hint = "Check the address; if it is right, ask whoever owns it for the right."
    return Refusal("not_found", "There is no such thing here, or you may not see it.", hint)
