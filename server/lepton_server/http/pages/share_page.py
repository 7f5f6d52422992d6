"""The page that a browser shows for a share: plain HTML without scripts, in which every text of a user's is escaped."""

from __future__ import annotations

import base64
import hashlib
from html import escape
from urllib.parse import quote

from git_lepton.wire.collaboration import SharedFile, SharedFiles
from lepton_server.wording import utc_minute

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:3rem auto;padding:0 1rem;color:#222;background:#fff}"
    "h1{font-size:1.3rem;overflow-wrap:anywhere}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.4rem .8rem .4rem 0;border-bottom:1px solid #ddd;vertical-align:top}"
    "code{font-size:.8rem;color:#555;overflow-wrap:anywhere}p{color:#555}"
)
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Robots-Tag": "noindex, nofollow",
    "Vary": "Accept",
}
ENDED = "There is nothing at this link. It may be wrong, have expired, been revoked, or been used as often as it may be."
ENDED_HINT = "Ask whoever gave it to you for another."
_UNITS = ("B", "kB", "MB", "GB", "TB")


def page(shared: SharedFiles, link: str) -> str:
    """The files behind a link; `link` is its last part, to which theirs are relative."""
    rows = "".join(_row(file, link) for file in shared.files)
    until = utc_minute(shared.expires)
    table = f"<table><tr><th>file<th>size<th>SHA-256</tr>{rows}</table>"
    return _document(shared.revision, f"{table}<p>This link is good until {until}.</p>")


def ended() -> str:
    """The page for a link behind which there is nothing."""
    return _document("Nothing here", f"<p>{escape(ENDED)} {escape(ENDED_HINT)}</p>")


def _row(file: SharedFile, link: str) -> str:
    name = escape(file.path)
    if file.left != 0:
        name = f'<a href="{escape(quote(link))}/{escape(quote(file.path))}" download>{name}</a>'
    left = "" if file.left is None else f"<br><small>{file.left or 'no'} download{'' if file.left == 1 else 's'} left</small>"
    return f"<tr><td>{name}{left}<td>{_size(file.size)}<td><code>{escape(file.oid)}</code></tr>"


def _document(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>'


def _size(count: int) -> str:
    size = float(count)
    for unit in _UNITS[:-1]:
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:,.3g} {_UNITS[-1]}"
