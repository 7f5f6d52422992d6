"""Rules of branches and tags (docs/wire-protocol.md)."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from git_lepton.wire.collaboration import RuleList, RuleMessage
from git_lepton.wire.protocol import API
from lepton_server.errors import not_found
from lepton_server.http.dependencies import (
    MaintainedRepository,
    MessageRoute,
    ReadableRepository,
    RequiredCaller,
)
from lepton_server.http.state import ServicesDep
from lepton_server.protection import branch_rules
from lepton_server.protection.branch_rules import Rule

router = APIRouter(prefix=f"{API}/repositories/{{owner}}/{{name}}", tags=["rules"], route_class=MessageRoute)


@router.get("/rules")
def list_rules(repository: ReadableRepository, services: ServicesDep) -> RuleList:
    with services.database.read() as connection:
        found = branch_rules.rules_of(connection, repository)
    told = [RuleMessage(rule.pattern, rule.push, rule.force, list(rule.evidence)) for rule in found]
    return RuleList(told, repository.kind == "hosted")


@router.put("/rules")
def set_rule(repository: MaintainedRepository, caller: RequiredCaller, services: ServicesDep, asked: RuleMessage) -> RuleMessage:
    """From now on this is the rule of its pattern."""
    rule = Rule(asked.pattern, asked.push, asked.force, tuple(dict.fromkeys(asked.evidence)))
    with services.database.write() as connection:
        branch_rules.set_rule(connection, caller, repository, rule)
    return asked


@router.delete("/rules", status_code=204)
def remove_rule(
    repository: MaintainedRepository, caller: RequiredCaller, services: ServicesDep, pattern: Annotated[str, Query()]
) -> None:
    with services.database.write() as connection:
        if not branch_rules.remove_rule(connection, caller, repository, pattern):
            raise not_found()
