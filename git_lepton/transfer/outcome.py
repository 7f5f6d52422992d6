"""The outcome of an upload: waiting until the server has verified it, and saying what it refused."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from git_lepton.errors import LeptonError, NetworkTrouble
from git_lepton.transfer.http.refusals import error_of_code

if TYPE_CHECKING:
    from git_lepton.transfer.progress import Progress
    from git_lepton.transfer.remote_store import RemoteStore
    from git_lepton.wire.messages import UploadState

_FIRST_POLL_S, _LONGEST_POLL_S = 0.05, 2.0
_WAIT_S = 2.0  # that the server may hold an answer back: long enough to be quick, short enough to show progress
_STUCK_S = 600.0  # a verification that does not go on for so long


def wait_until_verified(remote: RemoteStore, session: str, state: UploadState, progress: Progress) -> UploadState:
    """The last state of a committed upload, done or failed. Raises NetworkTrouble where it does not go on."""
    delay, moved, told = _FIRST_POLL_S, time.monotonic(), False
    while state.state not in ("done", "failed"):
        asked = time.monotonic()
        before, state = state, remote.upload_state(session, wait=_WAIT_S)
        if time.monotonic() - asked < delay:  # a server that does not hold its answers back
            time.sleep(delay)
            delay = min(2 * delay, _LONGEST_POLL_S)
        moved = moved if state == before else time.monotonic()
        if time.monotonic() - moved > _STUCK_S:
            raise NetworkTrouble(f"{remote.connection.host} does not go on verifying", "Push again later.")
        if not told and state == before:
            told = True
            progress.note(f"{remote.connection.host} is verifying what arrived")
    return state


def refusal(state: UploadState, host: str) -> LeptonError:
    """The error to show for an upload that failed."""
    full = [failure for failure in state.failures if failure.code == "quota_exceeded"]  # the rest is what comes of that
    failures = full[:1] or state.failures
    if not failures:
        return NetworkTrouble(f"{host} refused the upload without a reason", "Push again.")
    told = "; ".join(f"{failure.subject[:64]}: {failure.message}" for failure in failures[:3])
    more = f" (and {len(failures) - 3} more)" if len(failures) > 3 else ""
    return error_of_code(failures[0].code, f"{host} refused what was pushed: {told}{more}", host)
