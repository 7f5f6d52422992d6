"""Settings of one server process: where its data lie, where it listens, and its limits. Nothing else reads options."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from git_lepton.format.pack import MAX_PACK_BYTES
from git_lepton.wire.protocol import MAX_MANIFEST_BYTES
from lepton_server.git_bounds import USUAL, Bounds

_LARGEST_MANIFEST = 64 * 1024 * 1024  # 1.8 million chunks
_EVERYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 (compared with, not bound)


@dataclass(frozen=True)
class S3Settings:
    """How an S3 bucket is reached. Keys come from where boto3 looks for them. `public_endpoint` is the one that clients reach, ""
    for the same; `direct` says whether they send and fetch packs there themselves (auto: where a probe finds that the bucket keeps
    what that needs); `encryption` is "", AES256 or aws:kms, with `kms_key` for the last."""

    endpoint: str = ""
    public_endpoint: str = ""
    region: str = ""
    encryption: str = ""
    kms_key: str = ""
    direct: str = "auto"  # auto, always, never


@dataclass(frozen=True)
class ServerSettings:
    """Times are in seconds, sizes in bytes. `public_url` is "" where clients are answered at the address that they asked.

    `data` is the process's own folder; what is not told to be elsewhere lies in it: the database ("": SQLite), the packs ("": on the
    disk), hosted git (None).
    """

    data: Path
    host: str = "127.0.0.1"
    port: int = 8417
    public_url: str = ""
    session_seconds: int = 3600
    transfer_seconds: int = 900
    max_pack_bytes: int = MAX_PACK_BYTES
    max_manifest_bytes: int = min(MAX_MANIFEST_BYTES, _LARGEST_MANIFEST)
    decoders: int = min(os.cpu_count() or 1, 8)
    database: str = ""
    storage: str = ""
    s3: S3Settings = S3Settings()
    git: Path | None = None
    workers: int = 1
    worker: int = 0  # which of them this process is
    trusted_proxies: tuple[str, ...] = ()  # addresses or networks whose X-Forwarded-For is believed
    requests_per_minute: int = 6000  # of one token, or of one address without; 0: no limit
    failed_logins_per_minute: int = 100  # of one address
    bodies_at_once: int = 96  # packs and git's requests that one process takes at a time
    bodies_of_one_address: int = 64
    pushes_at_once: int = 32  # that git works on in one process
    pushes_of_one_account: int = 2
    git_bounds: Bounds = USUAL  # of what one request to git may take
    metrics_token: str = ""  # whoever has it may read /metrics, beside the server's admins
    log_form: str = "text"  # text, json
    log_level: str = "warning"
    tls_certificate: Path | None = None
    tls_key: Path | None = None

    @property
    def database_place(self) -> Path | str:
        """A file (SQLite) or a URL, as `Database` takes it."""
        return self.database or self.database_file

    @property
    def database_file(self) -> Path:
        return self.data / "lepton.sqlite"

    @property
    def pack_root(self) -> Path:
        return Path(self.storage.removeprefix("file://")) if self.storage.startswith("file://") else self.data / "packs"

    @property
    def git_root(self) -> Path:
        return self.git or self.data / "git"

    @property
    def admin_token_file(self) -> Path:
        return self.data / "admin-token"

    @property
    def secret_file(self) -> Path:
        return self.data / "transfer-secret"

    @property
    def lock_file(self) -> Path:
        return self.data / "serve.lock"

    @property
    def is_encrypted(self) -> bool:
        """Whether clients come by https."""
        return self.tls_certificate is not None or self.public_url.startswith("https://")

    @property
    def loopback_url(self) -> str:
        """Where a process on this machine reaches the server."""
        scheme = "http" if self.tls_certificate is None else "https"
        host = "127.0.0.1" if self.host in _EVERYWHERE else self.host
        return f"{scheme}://[{host}]:{self.port}" if ":" in host else f"{scheme}://{host}:{self.port}"
