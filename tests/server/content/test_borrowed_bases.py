"""Nobody's weights are published by being a base: what a reader of a repository can decode is what its refs reach, and bases that all of
its readers may read where they come from, or that whoever pushed allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count, product

import pytest
from sqlalchemy import Connection, insert, select

from lepton_server.content import borrowed_bases
from lepton_server.content import chunks as names
from lepton_server.content.borrowed_bases import Push
from lepton_server.content.chunks import Encoding
from lepton_server.content.pack_reader import PackRefused, ReceivedPack
from lepton_server.database.tables import packs, uploads
from lepton_server.database.transactions import Database
from lepton_server.identity import accounts, audit_log, organisations
from lepton_server.identity.accounts import AccountRow, operator
from lepton_server.identity.caller import Caller
from lepton_server.repositories import grants, registry, renaming
from lepton_server.repositories.registry import VISIBILITIES, Repository
from lepton_server.uploads import admission
from lepton_server.uploads.admission import BaseAbsent

ROLES = ("owner", "reader", "team", "organisation", "nobody", "limited", "no-scope")  # of who pushes, where the base lies
OTHERS = ("alone", "shares", "stranger")  # who else may read the target: nobody, somebody who may read the base, and who may not


@dataclass
class World:
    """People, and repositories with weights, in one transaction."""

    connection: Connection
    numbers: Iterator[int]

    def person(self, name: str) -> AccountRow:
        accounts.ensure_account(self.connection, name)
        return accounts.known(self.connection, name)

    def repository(self, owner: str, visibility: str = "private") -> Repository:
        made = registry.create(self.connection, operator(), owner, f"r{next(self.numbers)}")
        renaming.set_visibility(self.connection, operator(), made, visibility)
        return registry.by_id(self.connection, made.id)

    def chunk(self) -> bytes:
        return next(self.numbers).to_bytes(32, "big")

    def upload(self, caller: Caller, repository: Repository) -> str:
        row = {"id": f"u{next(self.numbers)}", "repository": repository.id, "account": caller.account, "state": "open"}
        self.connection.execute(insert(uploads).values({**row, "created": 0, "expires": 0, "verified_bytes": 0}))
        return row["id"]  # type: ignore[return-value]

    def send(self, push: Push, chunk: bytes, base: bytes | None = None) -> None:
        """A pack of one chunk, verified."""
        number = next(self.numbers)
        row = {
            "id": number,
            "tenant": 1,
            "repository": push.repository.id,
            "uploader": push.repository.owner_account,
            "name": chunk,
        }
        row |= {"storage_key": f"key{number}", "size": 1000, "state": "received", "received": 0}
        self.connection.execute(insert(packs).values(row))
        pack = ReceivedPack(number, chunk, f"key{number}", 1000)
        found = [Encoding(chunk, number, pack.storage_key, 96, 10, 20, 0, 0, base, 7)]
        placed, _ = admission.place_bases(self.connection, push, found)
        admission.record_pack(self.connection, push, pack, placed)

    def holds(self, repository: Repository, *chunks: bytes) -> set[bytes]:
        return set(names.linked(self.connection, repository, chunks))

    def caller(self, name: str) -> Caller:
        return accounts.caller_by_id(self.connection, self.person(name).id)

    def log(self, repository: Repository) -> list[tuple[str, str, str]]:
        rows = audit_log.search(self.connection, audit_log.Wanted(repository=repository.id, action="base"))
        return [(row.action, row.account, row.subject) for row in rows]


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    with database.write() as connection:
        made = World(connection, count(1000))
        for name in ("ann", "ben", "carol", "dan", "eve"):
            made.person(name)
        yield made


def set_role(world: World, role: str, source: Repository) -> Caller:
    """`ann`, who owns all targets, as somebody who has this role where the base lies."""
    ann = world.person("ann")
    if role in ("reader", "limited", "no-scope"):
        grants.grant(world.connection, operator(), source, ann, "reader")
    if role in ("team", "organisation"):
        holder = accounts.known(world.connection, source.owner)
        organisations.set_member(world.connection, operator(), holder, ann, "owner" if role == "organisation" else "member")
        if role == "team":
            team = organisations.ensure_team(world.connection, operator(), holder, "red")
            organisations.add_to_team(world.connection, operator(), holder, team, ann)
            grants.grant_team(world.connection, operator(), source, team.id, team.full_name, "reader")
    caller = world.caller("ann")
    if role == "limited":
        return replace(caller, limited_to=frozenset())
    return replace(caller, scopes=frozenset({"write"})) if role == "no-scope" else caller


@pytest.mark.parametrize("role", ROLES)
def test_what_a_reader_can_decode(world: World, role: str) -> None:
    """For each visibility and role at the base's repository, and each visibility and further reader of the target's."""
    for lender, borrower in product(VISIBILITIES, VISIBILITIES):
        for other in OTHERS if lender == borrower == "private" else ("stranger",):
            lab = f"lab{next(world.numbers)}"
            accounts.ensure_account(world.connection, lab, kind="organisation")
            source = world.repository("ann" if role == "owner" else lab, lender)
            target, base = world.repository("ann", borrower), world.chunk()
            world.send(Push(operator(), source), base)
            ann = set_role(world, role, source)
            if other != "alone":
                grants.grant(world.connection, operator(), target, world.person("ben"), "reader")
            if other == "shares":
                grants.grant(world.connection, operator(), source, world.person("ben"), "reader")
            reads = role in ("owner", "reader", "team", "organisation") or (role == "nobody" and lender != "private")
            narrower = VISIBILITIES.index(lender) < VISIBILITIES.index(borrower)
            narrower |= lender == borrower == "private" and other == "stranger"
            for allowed in (False, True):
                rightful = reads and (allowed or not narrower)
                _check(world, ann, source, target, base, allowed=allowed, rightful=rightful)
                told = borrowed_bases.borrowed(world.connection, target)
                expected = [(source.full_name, 1, 20, narrower)] if rightful else []
                assert [(one.repository, one.chunks, one.bytes, one.allowed) for one in told] == expected


def _check(
    world: World, ann: Caller, source: Repository, target: Repository, base: bytes, *, allowed: bool, rightful: bool
) -> None:
    """A push of ann's lies on the base, or it is as absent as none, and the same without a base tells nothing of it."""
    push, tuned = Push(ann, target, world.upload(ann, target)), world.chunk()
    named = borrowed_bases.allow(world.connection, ann, target, push.upload, [(source.full_name, allowed), ("no/where", allowed)])
    assert named == ([source.full_name] if rightful else [])
    if rightful:
        world.send(push, tuned, base)
    else:
        refused = []
        for absent in (base, world.chunk()):
            with pytest.raises(BaseAbsent) as raised:
                world.send(push, tuned, absent)
            refused.append((raised.value.code, raised.value.message))
        assert refused[0] == refused[1]
        world.send(push, tuned)
    assert world.holds(target, base, tuned) == ({base, tuned} if rightful else {tuned})


@pytest.fixture
def lent(world: World) -> tuple[Push, Repository, bytes]:
    """A push of ann's to a public repository, her private one, and a chunk in it."""
    vault, shop = world.repository("ann"), world.repository("ann", "public")
    base, ann = world.chunk(), world.caller("ann")
    world.send(Push(ann, vault), base)
    return Push(ann, shop, world.upload(ann, shop)), vault, base


def test_what_was_allowed_is_in_the_log_of_both(world: World, lent: tuple[Push, Repository, bytes]) -> None:
    push, vault, base = lent
    for _ in range(2):
        borrowed_bases.allow(world.connection, push.caller, push.repository, push.upload, [(vault.full_name.upper(), True)])
    world.send(push, world.chunk(), base)
    borrowed_bases.note_in_log(world.connection, push.caller, push.repository, push.upload)
    assert world.log(push.repository) == [("base.borrow", "ann", vault.full_name)]
    assert sorted(world.log(vault)) == [
        ("base.allow", "ann", push.repository.full_name),
        ("base.lend", "ann", push.repository.full_name),
    ]


def test_what_was_allowed_for_one_upload_is_not_for_the_next(world: World, lent: tuple[Push, Repository, bytes]) -> None:
    push, vault, base = lent
    borrowed_bases.allow(world.connection, push.caller, push.repository, push.upload, [(vault.full_name, True)])
    later = push._replace(upload=world.upload(push.caller, push.repository))
    assert borrowed_bases.usable(world.connection, later, [base]) == {}
    assert base in borrowed_bases.usable(world.connection, push, [base])


def test_who_may_no_longer_read_the_source_can_no_longer_lend_it(world: World) -> None:
    vault, shop = world.repository("eve"), world.repository("ann", "public")
    grants.grant(world.connection, operator(), vault, world.person("ann"), "reader")
    base, ann = world.chunk(), world.caller("ann")
    world.send(Push(operator(), vault), base)
    push = Push(ann, shop, world.upload(ann, shop))
    assert borrowed_bases.allow(world.connection, ann, shop, push.upload, [(vault.full_name, True)])
    grants.revoke(world.connection, operator(), vault, world.person("ann"))
    assert borrowed_bases.usable(world.connection, push, [base]) == {}


def test_what_counts_is_who_may_read_in_the_moment_of_linking(world: World) -> None:
    """The upload was opened while the target was as private as the base."""
    vault, shop = world.repository("ann"), world.repository("ann")
    base, tuned, ann = world.chunk(), world.chunk(), world.caller("ann")
    world.send(Push(ann, vault), base)
    push = Push(ann, shop, world.upload(ann, shop))
    assert base in borrowed_bases.usable(world.connection, push, [base])
    renaming.set_visibility(world.connection, operator(), shop, "public")
    with pytest.raises(PackRefused):
        world.send(push, tuned, base)
    assert world.holds(shop, base, tuned) == set()


def test_a_base_that_belongs_to_a_file_of_the_push_needs_nobodys_leave(
    world: World, lent: tuple[Push, Repository, bytes]
) -> None:
    """A history of two versions that goes to a second, public repository: the first is known from the private one and not sent."""
    push, _, base = lent
    shown: list[set[bytes]] = []

    def show(_: Connection, chunks: set[bytes]) -> set[bytes]:
        shown.append(chunks)
        return set()

    world.send(push._replace(of_files=lambda chunks: chunks & {base}, show_files=show), tuned := world.chunk(), base)
    assert world.holds(push.repository, base, tuned) == {base, tuned}
    assert borrowed_bases.borrowed(world.connection, push.repository) == []
    assert shown == [{base}]


def test_nothing_lies_on_a_file_that_does_not_become_visible(world: World, lent: tuple[Push, Repository, bytes]) -> None:
    push, _, base = lent
    coming = push._replace(of_files=lambda chunks: chunks & {base}, show_files=lambda _, chunks: chunks)
    with pytest.raises(BaseAbsent) as raised, world.connection.begin_nested():
        world.send(coming, tuned := world.chunk(), base)
    assert (raised.value.code, raised.value.missing) == ("missing_chunks", {base})
    assert world.holds(push.repository, base, tuned) == set()


def test_a_base_of_a_visible_file_of_the_same_upload_is_not_borrowed(world: World, lent: tuple[Push, Repository, bytes]) -> None:
    push, vault, base = lent
    borrowed_bases.allow(world.connection, push.caller, push.repository, push.upload, [(vault.full_name, True)])
    world.send(push, world.chunk(), base)
    borrowed_bases.forget_own(world.connection, push.repository, "another", [{base}])
    assert [one.chunks for one in borrowed_bases.borrowed(world.connection, push.repository)] == [1]
    borrowed_bases.forget_own(world.connection, push.repository, push.upload, [{world.chunk()}, {base}])
    assert borrowed_bases.borrowed(world.connection, push.repository) == []


def test_a_chain_is_borrowed_from_its_end_only(world: World) -> None:
    """What a base lies on elsewhere does not come along, though all may read it."""
    lab, shop = world.repository("ann", "public"), world.repository("ann", "public")
    root, base, ann = world.chunk(), world.chunk(), world.caller("ann")
    world.send(Push(ann, lab), root)
    world.send(Push(ann, lab), base, root)
    assert set(borrowed_bases.usable(world.connection, Push(ann, shop), [root, base])) == {root}


Change = Callable[[World, Repository], list[str]]


def published(world: World, repository: Repository) -> list[str]:
    renaming.set_visibility(world.connection, operator(), repository, "internal")
    return borrowed_bases.shown_to_more(world.connection, repository)


def granted(world: World, repository: Repository) -> list[str]:
    grants.grant(world.connection, operator(), repository, world.person("carol"), "reader")
    return borrowed_bases.shown_to_more(world.connection, repository)


def transferred(world: World, repository: Repository) -> list[str]:
    moved = renaming.move(world.connection, operator(), repository, "dan", repository.name)
    return borrowed_bases.shown_to_more(world.connection, moved)


def joined(world: World, repository: Repository) -> list[str]:
    home = accounts.known(world.connection, repository.owner)
    organisations.set_member(world.connection, operator(), home, world.person("carol"), "owner")
    return borrowed_bases.shown_to_member(world.connection, world.person("carol").id, home.id)


@pytest.mark.parametrize("change", [published, granted, transferred, joined])
def test_who_lets_more_people_read_is_told_what_they_get_to_see(world: World, change: Change) -> None:
    accounts.ensure_account(world.connection, "acme", kind="organisation")
    organisations.set_member(world.connection, operator(), accounts.known(world.connection, "acme"), world.person("ann"), "owner")
    vault, models = world.repository("ann"), world.repository("acme")
    base, ann = world.chunk(), world.caller("ann")
    world.send(Push(ann, vault), base)
    world.send(Push(ann, models), world.chunk(), base)
    assert borrowed_bases.shown_to_more(world.connection, models) == []
    (said,) = change(world, models)
    assert f"1 chunk (20 bytes) of {vault.full_name}" in said


def test_who_may_not_read_the_source_is_not_told_its_name(world: World, lent: tuple[Push, Repository, bytes]) -> None:
    push, vault, base = lent
    borrowed_bases.allow(world.connection, push.caller, push.repository, push.upload, [(vault.full_name, True)])
    world.send(push, world.chunk(), base)
    (for_ann,) = borrowed_bases.borrowed(world.connection, push.repository, push.caller)
    (for_ben,) = borrowed_bases.borrowed(world.connection, push.repository, world.caller("ben"))
    assert (for_ann.repository, for_ben.repository) == (vault.full_name, "")
    assert for_ben.narrower


def test_what_is_held_no_longer_is_not_told(world: World, lent: tuple[Push, Repository, bytes]) -> None:
    from lepton_server.database.tables import borrowed_chunks, chunk_links

    push, vault, base = lent
    borrowed_bases.allow(world.connection, push.caller, push.repository, push.upload, [(vault.full_name, True)])
    world.send(push, world.chunk(), base)
    world.connection.execute(chunk_links.delete().where(chunk_links.c.repository == push.repository.id))
    assert borrowed_bases.borrowed(world.connection, push.repository) == []
    assert world.connection.execute(select(borrowed_chunks.c.chunk)).scalars().all() == [base]
