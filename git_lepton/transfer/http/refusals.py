"""Refusals: answers of 400 and above as errors of ours, with a sentence, a hint and an exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from git_lepton.errors import CorruptData, LeptonError, NetworkTrouble, NotAllowed, WeightsMissing, WrongUse
from git_lepton.transfer.http.storage_refusals import protocol_code, storage_code, storage_hint
from git_lepton.wire.messages import BadMessage, Capabilities, ErrorBody, ErrorReply, from_json
from git_lepton.wire.protocol import PROTOCOL_VERSION, REQUEST_HEADER


class NotALeptonServer(NetworkTrouble):
    """Something answered, but not with what the protocol says."""


class AnswerTooLong(NotALeptonServer):
    """An answer has more bytes than what was asked for can have; no more than those were read."""


class ServerRefused(NetworkTrouble):
    """The server said no for a reason that is neither the user's rights nor their data. `code` is the protocol's for it."""

    code = ""


class LoginNeeded(NotAllowed):
    """No token, or none that the server takes."""


class Forbidden(NotAllowed):
    """May read, may not do this."""


class NotFound(NotAllowed):
    """Not there, or not to be known to the caller."""


class SessionGone(NetworkTrouble):
    """The upload session has ended."""


class RangeGone(NetworkTrouble):
    """The server has moved what a plan for a download told of: ask for another."""


class UrlExpired(NetworkTrouble):
    """A transfer URL is no longer taken; ask for another."""


class AlreadyThere(NetworkTrouble):
    """What a transfer URL is for was brought there before: an answer was lost."""


class TooLarge(NetworkTrouble):
    """A body that the server, or a proxy before it, does not take. `size` is the body's length in bytes."""

    size = 0


class StorageFull(NetworkTrouble):
    """The server has no room."""


class QuotaExceeded(NotAllowed):
    """The repository may not store more."""


class Refuted(CorruptData):
    """The server found that bytes are not what their name says."""


class ChunksUnknown(WeightsMissing):
    """The server lacks chunks that it was taken to have."""


class UpgradeNeeded(WrongUse):
    """Client and server speak different versions."""


@dataclass(frozen=True)
class Answer:
    """An answer of 400 or above: `asked` names what it is about, for a sentence ("repository O/N"); `sent` is the length of
    what was sent."""

    host: str
    asked: str
    status: int
    headers: Mapping[str, str]
    body: bytes
    sent: int = 0
    transfer: bool = False  # from a transfer URL
    login: str = ""  # what `git lepton login` is told for this server, where that is not `host`


def refusal(answer: Answer) -> LeptonError:
    """The error to raise for an answer that is no use to send the request again for."""
    said = read_error(answer)
    if answer.transfer and answer.status == 412:
        return AlreadyThere(f"{answer.host} has what was sent to it already", "Run the same again.")
    if answer.transfer and said.code in _NO_ADDRESS:
        reason = storage_code(answer.body)
        if said.code == "not_found" and not answer.sent:  # no lack of rights: nobody asks for them at such an address
            return UrlExpired(
                f"{answer.host} has no longer the bytes that an address is for{_named(reason)}", storage_hint(reason) or _LOST
            )
        hint = said.hint or storage_hint(reason)
        return UrlExpired(f"{answer.host} does not take, or no longer, the address for a transfer{_named(reason)}", hint)
    error = _by_code(said.code, answer, said)
    if isinstance(error, TooLarge):
        error.size = answer.sent
    return error


def read_error(answer: Answer) -> ErrorBody:
    """The error body of an answer; where there is none (a proxy's page, an S3 document) one made up from what it says, or its status."""
    try:
        return from_json(ErrorReply, json.loads(answer.body)).error
    except (ValueError, BadMessage, RecursionError):
        code = protocol_code(storage_code(answer.body)) or _CODES.get(answer.status, "")
        return ErrorBody(code, "", "", answer.headers.get(REQUEST_HEADER, ""))


def is_page(body: bytes) -> bool:
    """Whether a body looks like a web page."""
    return body[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<head"))


def page_title(body: bytes) -> str:
    """A web page's title, for a sentence; empty if it has none."""
    found = re.search(rb"<title[^>]*>([^<]{1,200})</title", body[:65536], re.IGNORECASE)
    return " ".join(found[1].decode("utf-8", "replace").split()) if found else ""


def check_versions(host: str, found: Capabilities, client: str) -> None:
    """Raises UpgradeNeeded unless the server speaks our protocol. `client` is our own version, for the sentence."""
    if found.protocol_min <= PROTOCOL_VERSION <= found.protocol_max:
        return
    spoken = (
        f"{host} speaks protocol {found.protocol_min} to {found.protocol_max}, this git-lepton {client} speaks {PROTOCOL_VERSION}"
    )
    if found.protocol_min > PROTOCOL_VERSION:
        from shlex import quote

        raise UpgradeNeeded(spoken, f"Run: pip install --upgrade {quote(found.client)}")
    raise UpgradeNeeded(spoken, "Ask whoever runs the server to update it.")


def _named(reason: str) -> str:
    return f" ({reason})" if reason else ""


_LOST = "Run the same again; if it stays so, ask whoever runs the server to run: lepton-server scrub"
_NO_ADDRESS = frozenset({"unauthenticated", "forbidden", "not_found", "gone"})
_CODES = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    407: "proxy",
    410: "gone",
    413: "too_large",
    416: "range_not_satisfiable",
    422: "corrupt_data",
    424: "missing_chunks",
    426: "upgrade_required",
    507: "storage_full",
}


def error_of_code(code: str, message: str, host: str) -> LeptonError:
    """The error of our kind for an error code of the protocol that a host gave."""
    kind, _, usual = _KINDS.get(code, (ServerRefused, "", ""))
    return kind(message, usual.format(host=host, login=host))


def _by_code(code: str, answer: Answer, said: ErrorBody) -> LeptonError:
    kind, sentence, usual = _KINDS.get(code, (ServerRefused, "{host} refused a request with status {status}", ""))
    ours = sentence.format(host=answer.host, asked=answer.asked, status=answer.status, sent=f"{answer.sent:,}")
    ours += _named(storage_code(answer.body)) if kind is ServerRefused else ""
    hint = said.hint or usual.format(host=answer.host, login=answer.login or answer.host)
    if kind is ServerRefused and said.request and not hint:
        hint = f"The server's name for this request is {said.request}."
    # "not found" must name what was not found, whatever the server says
    message = ours if kind is NotFound and answer.asked not in said.message else said.message or ours
    error = kind(message, hint)
    if isinstance(error, ServerRefused):
        error.code = code
    return error


_BODY_SIZE_HINT = "A proxy before the server limits the size of a request; with nginx set client_max_body_size to 64m or more."
_KINDS: dict[str, tuple[type[LeptonError], str, str]] = {
    "unauthenticated": (LoginNeeded, "{host} wants you to log in", "Run: git lepton login {login}"),
    "forbidden": (Forbidden, "{host} does not let you do this in {asked}", "Ask a maintainer of the repository for the right."),
    "not_found": (
        NotFound,
        "{host} has no {asked}, or you may not see it",
        "Check the name; if it is private, run: git lepton login {login}",
    ),
    "session_gone": (SessionGone, "the upload to {asked} on {host} has ended", "Push again: it goes on where it stopped."),
    "too_large": (TooLarge, "{host} does not take {sent} bytes in one request", _BODY_SIZE_HINT),
    "range_not_satisfiable": (RangeGone, "{host} has moved parts of {asked}", "Run the same again."),
    "corrupt_data": (Refuted, "{host} found that what arrived is not what its name says", "Run: git lepton fsck"),
    "missing_chunks": (ChunksUnknown, "{host} lacks parts of what was to be stored in {asked}", "Push again."),
    "upgrade_required": (UpgradeNeeded, "{host} needs a newer git-lepton", "Run: pip install --upgrade git-lepton"),
    "storage_full": (StorageFull, "{host} has no room left", "Tell whoever runs the server; then push again."),
    "quota_exceeded": (QuotaExceeded, "{asked} on {host} may not store more", "Ask an admin of the server to raise its quota."),
    "proxy": (ServerRefused, "the proxy wants a user name and a password", "Put them into git's http.proxy setting."),
}
ADDRESS_HINT = "Check the address; a proxy or a login page may stand between you and the server."
