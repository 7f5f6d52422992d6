"""Administration of a server: tokens, rights, rules and repositories, for those who may change them. A typed method for each request
of docs/wire-protocol.md."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote, urlencode

from git_lepton.errors import WrongUse
from git_lepton.transfer.http.bodies import Reply
from git_lepton.transfer.http.connection import Connection
from git_lepton.transfer.http.refusals import NotFound, ServerRefused
from git_lepton.wire import people, protocol
from git_lepton.wire.collaboration import EvidenceList, EvidenceRecord, NewEvidence, RuleList, RuleMessage
from git_lepton.wire.messages import NewRepository, RepositoryInfo, to_json
from git_lepton.wire.people import MadeToken, NamedRole, NewToken, Place, TokenInfo


class CannotBeDone(WrongUse):
    """The server says that what was asked for cannot be, or stands against what is there. `code` is the protocol's for it."""

    code = ""


class Administration:
    """One server. `repository` is OWNER/NAME everywhere. Methods raise LeptonErrors: CannotBeDone, NotFound, Forbidden, LoginNeeded and
    what connections raise."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def tokens(self) -> list[TokenInfo]:
        """One's own, without their secrets."""
        return self._ask("GET", "tokens").message(people.TokenList).tokens

    def make_token(self, token: NewToken) -> MadeToken:
        return self._ask("POST", "tokens", message=token).message(MadeToken)

    def revoke_token(self, number: int) -> None:
        try:
            self._ask("DELETE", "tokens", str(number))
        except NotFound as error:
            raise NotFound(f"you have no token {number}", "`git lepton token list` lists yours.") from error

    def rotate_token(self, number: int, overlap_s: int) -> MadeToken:
        """A new secret with the same rights; the old one is good for some seconds more."""
        return self._ask("POST", "tokens", str(number), "rotate", message=people.Rotation(overlap_s)).message(MadeToken)

    def access(self, repository: str) -> people.Access:
        """Who may do what in a repository, and why."""
        return self._ask("GET", *_parts(repository), "access").message(people.Access)

    def grants(self, repository: str) -> people.Grants:
        """What was granted in a repository, for its owners."""
        return self._ask("GET", *_parts(repository), "grants").message(people.Grants)

    def grant(self, repository: str, name: str, role: str) -> None:
        """Give an account, or a team (ORG/TEAM), a role."""
        self._ask("PUT", *_grant(repository, name), message=people.RoleChange(role))

    def revoke(self, repository: str, name: str) -> None:
        self._ask("DELETE", *_grant(repository, name))

    def rules(self, repository: str) -> RuleList:
        return self._ask("GET", *_parts(repository), "rules").message(RuleList)

    def set_rule(self, repository: str, rule: RuleMessage) -> None:
        self._ask("PUT", *_parts(repository), "rules", message=rule)

    def remove_rule(self, repository: str, pattern: str) -> None:
        self._ask("DELETE", *_parts(repository), "rules", query={"pattern": pattern})

    def evidence(self, repository: str, commit: str) -> list[EvidenceRecord]:
        """What checks said of a commit, the last record first."""
        return self._ask("GET", *_parts(repository), "evidence", query={"subject": commit}).message(EvidenceList).records

    def vouch(self, repository: str, record: NewEvidence) -> EvidenceRecord:
        return self._ask("POST", *_parts(repository), "evidence", message=record).message(EvidenceRecord)

    def organisations(self) -> list[NamedRole]:
        """Those that one is in, and as what."""
        return self._ask("GET", "organisations").message(people.Organisations).organisations

    def members(self, organisation: str) -> list[NamedRole]:
        return self._ask("GET", "organisations", organisation, "members").message(people.Members).members

    def teams(self, organisation: str) -> list[people.Team]:
        return self._ask("GET", "organisations", organisation, "teams").message(people.Teams).teams

    def repositories(self) -> list[RepositoryInfo]:
        """All that one may read, by name."""
        found: list[RepositoryInfo] = []
        after: str | None = ""
        while after is not None:
            page = self._ask("GET", "repositories", query={"after": after}).message(people.RepositoryList)
            found, after = found + page.repositories, page.next
        return found

    def repository(self, repository: str) -> RepositoryInfo:
        return self._ask("GET", *_parts(repository)).message(RepositoryInfo)

    def create(self, repository: str, new: NewRepository) -> RepositoryInfo:
        return self._ask("PUT", *_parts(repository), message=new).message(RepositoryInfo)

    def set_visibility(self, repository: str, visibility: str) -> RepositoryInfo:
        change = people.RepositoryChange(visibility)
        return self._ask("PATCH", *_parts(repository), message=change).message(RepositoryInfo)

    def move(self, repository: str, to: Place) -> RepositoryInfo:
        return self._ask("POST", *_parts(repository), "move", message=to).message(RepositoryInfo)

    def fork(self, repository: str, to: Place) -> RepositoryInfo:
        return self._ask("POST", *_parts(repository), "fork", message=to).message(RepositoryInfo)

    def set_default_branch(self, repository: str, branch: str) -> RepositoryInfo:
        change = people.DefaultBranch(branch)
        return self._ask("PUT", *_parts(repository), "default-branch", message=change).message(RepositoryInfo)

    def delete(self, repository: str) -> None:
        """It is as absent from now on; `undelete` brings it back for a while."""
        self._ask("DELETE", *_parts(repository), query={"confirm": repository})

    def deleted(self) -> list[people.DeletedRepository]:
        """Those that one owned and can bring back, the last one first."""
        return self._ask("GET", "deleted-repositories").message(people.DeletedRepositories).repositories

    def undelete(self, number: int, name: str = "") -> RepositoryInfo:
        return self._ask("POST", "deleted-repositories", str(number), "undelete", message=Place(name=name)).message(
            RepositoryInfo
        )

    def _ask(self, method: str, *parts: str, message: Any = None, query: dict[str, str] | None = None) -> Reply:
        body = b"" if message is None else json.dumps(to_json(message)).encode()
        path = "/".join([protocol.API, *(quote(part, safe="") for part in parts)]) + (f"?{urlencode(query)}" if query else "")
        asked = f"repository {'/'.join(parts[1:3])}" if parts[0] == "repositories" and len(parts) > 2 else " ".join(parts[:2])
        try:
            return self._connection.request(method, path, asked=asked, body=body, content_type="application/json" if body else "")
        except ServerRefused as error:
            if error.code in ("bad_request", "conflict"):
                refused = CannotBeDone(error.message, error.hint)
                refused.code = error.code
                raise refused from error
            raise


def _parts(repository: str) -> tuple[str, str, str]:
    """Raises CannotBeDone for what is not OWNER/NAME."""
    owner, slash, name = repository.partition("/")
    if not (owner and slash and name) or "/" in name:
        raise CannotBeDone(f"{repository!r} is not OWNER/REPO", "Write the repository as the server calls it: team/models")
    return "repositories", owner, name


def _grant(repository: str, name: str) -> tuple[str, ...]:
    """Raises CannotBeDone for a team of another organisation."""
    owner, slash, team = name.partition("/")
    if not slash:
        return *_parts(repository), "grants", name
    if owner.lower() != repository.partition("/")[0].lower():
        raise CannotBeDone(f"{repository} does not lie under {owner}", "A team gets roles in its own organisation only.")
    return *_parts(repository), "team-grants", team
