"""The credential that a connection uses now, for all its threads; the chain is asked for another when the server says no."""

from __future__ import annotations

import threading

from git_lepton.transfer.http.credentials import Credential, CredentialChain


class Login:
    """The credential in use for one server. Several threads may find at once that it is no good: the chain is asked once."""

    def __init__(self, url: str, chain: CredentialChain | None) -> None:
        self._url = url
        self._chain = chain
        self._lock = threading.Lock()
        self._approved = False
        self._current = chain.ready(url) if chain else None

    @property
    def current(self) -> Credential | None:
        with self._lock:
            return self._current

    def accepted(self, used: Credential | None) -> None:
        """The server took a request that carried this."""
        with self._lock:
            if used is None or self._approved or used is not self._current or self._chain is None:
                return
            self._approved = True
        self._chain.approve(used)

    def refused(self, used: Credential | None) -> bool:
        """The server did not take this (None: it wants one). Whether there is another to try."""
        with self._lock:
            if self._chain is None:
                return False
            if used is not self._current:
                return self._current is not None  # another thread has been here
            if used is not None:
                self._chain.reject(self._url, used)
            self._current = self._chain.for_host(self._url)
            self._approved = False
            return self._current is not None
