"""The JSON messages about accounts, organisations, tokens, rights and the audit log (docs/wire-protocol.md, section 11).

Times are milliseconds since 1970. `next` is what to send as `after` for what follows, None at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from git_lepton.wire.messages import RepositoryInfo


@dataclass(frozen=True)
class AccountInfo:
    """`kind` is user, robot or organisation; `disabled` is since when none of its tokens is taken."""

    name: str
    kind: str
    admin: bool
    created: int
    disabled: int | None = None


@dataclass(frozen=True)
class AccountList:
    accounts: list[AccountInfo]
    next: str | None = None


@dataclass(frozen=True)
class NewAccount:
    """Asking again for what is there is no error, unless it is of another kind."""

    kind: str = "user"
    admin: bool = False


@dataclass(frozen=True)
class AccountChange:
    """What is None stays as it is."""

    disabled: bool | None = None
    admin: bool | None = None
    name: str | None = None


@dataclass(frozen=True)
class NamedRole:
    """A member of an organisation (owner, member), or a role in a repository (reader, writer, maintainer, owner)."""

    name: str
    role: str


@dataclass(frozen=True)
class Members:
    members: list[NamedRole]


@dataclass(frozen=True)
class RoleChange:
    role: str


@dataclass(frozen=True)
class Team:
    name: str
    members: list[str]


@dataclass(frozen=True)
class Teams:
    teams: list[Team]


@dataclass(frozen=True)
class Grants:
    """Who was granted a role in a repository, beside its owner and those whom the visibility lets read."""

    accounts: list[NamedRole]
    teams: list[NamedRole]


@dataclass(frozen=True)
class AccountAccess:
    """What an account may do in a repository: its role, and what brings it one, in words. A disabled one can do nothing with it."""

    name: str
    kind: str
    role: str
    by: list[str]
    disabled: bool = False


@dataclass(frozen=True)
class Access:
    """Who may do what in a repository, beside those whom the visibility lets read."""

    visibility: str
    accounts: list[AccountAccess]


@dataclass(frozen=True)
class Organisations:
    """Those that the caller is in, and as what."""

    organisations: list[NamedRole]


@dataclass(frozen=True)
class NewToken:
    """`repositories` (OWNER/NAME) are those that it is limited to, None for no limit; `account` a robot's name, "" for one's own."""

    label: str = ""
    scopes: list[str] = field(default_factory=lambda: ["read", "write"])
    repositories: list[str] | None = None
    days: float | None = None
    account: str = ""


@dataclass(frozen=True)
class TokenInfo:
    """A token, without its secret."""

    id: int
    label: str
    scopes: list[str]
    repositories: list[str] | None
    created: int
    expires: int | None
    last_used: int | None


@dataclass(frozen=True)
class TokenList:
    tokens: list[TokenInfo]


@dataclass(frozen=True)
class MadeToken:
    """The only message that ever holds a token."""

    token: str
    info: TokenInfo


@dataclass(frozen=True)
class Rotation:
    """For how long the old token is good beside its successor."""

    overlap_seconds: int = 600


@dataclass(frozen=True)
class RepositoryChange:
    """What is None stays as it is."""

    visibility: str | None = None


@dataclass(frozen=True)
class Place:
    """Where a repository goes, or its fork. Empty: as it is."""

    owner: str = ""
    name: str = ""


@dataclass(frozen=True)
class DefaultBranch:
    """The name of a branch that is there, without refs/heads/."""

    branch: str


@dataclass(frozen=True)
class DeletedRepository:
    """A repository that was deleted and can be brought back, by its number: several may have had the same name."""

    id: int
    name: str
    kind: str
    deleted: int


@dataclass(frozen=True)
class DeletedRepositories:
    repositories: list[DeletedRepository]


@dataclass(frozen=True)
class RepositoryList:
    repositories: list[RepositoryInfo]
    next: str | None = None


@dataclass(frozen=True)
class AuditRow:
    """Who (`account`, by `token`, from `address`) did `action` to `subject` in `repository`, as it was called then."""

    id: int
    at: int
    account: str
    token: str
    address: str
    action: str
    repository: str
    subject: str
    detail: dict[str, object]
    request: str


@dataclass(frozen=True)
class AuditRows:
    rows: list[AuditRow]
    next: int | None = None
