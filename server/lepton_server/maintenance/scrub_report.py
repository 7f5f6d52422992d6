"""The report of a scrub: bad packs, files that are lost with them, what was brought back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from git_lepton.errors import CorruptData
from lepton_server.content import journal
from lepton_server.maintenance.adopt import Adopted
from lepton_server.maintenance.losses import Loss
from lepton_server.maintenance.reconcile import Compared
from lepton_server.maintenance.repair import Repaired
from lepton_server.maintenance.scrub import BadPack, Scrubbed

_NAMED = 20


class DamageFound(CorruptData):
    """What is stored is not all as it should be, or not all that should be is stored."""


@dataclass(frozen=True)
class BadPackReport:
    """A pack that was found bad: its name and key, whether its file is missing, what is wrong with it, and how many chunks cannot be
    read from it."""

    name: str
    key: str
    missing: bool
    problems: list[str]
    unreadable_chunks: int

    @classmethod
    def of(cls, bad: BadPack) -> BadPackReport:
        reasons = list(dict.fromkeys([*bad.findings.problems, *bad.findings.unreadable.values()]))
        return cls(bad.name.hex(), bad.key, bad.missing, reasons[:_NAMED], len(bad.findings.unreadable))

    def told(self) -> str:
        what = "missing" if self.missing else "damaged"
        return f"pack {self.key} is {what}, {self.unreadable_chunks} chunks in it cannot be read: {'; '.join(self.problems[:3])}"


@dataclass(frozen=True)
class ScrubReport:
    """`bad` is what was found, `left` what is bad still, `lost` the files that cannot be rebuilt now; `incomplete` says of which files
    that count as stored a chunk is not even known. `missing` are files that refs reach and that do not count as stored, `doubts` say where
    git, the database and the storage do not fit each other; `not_adopted` says what could not be read back in, and why;
    `to_check` what only people can know after that."""

    packs: int
    chunks: int
    bytes_read: int
    stray_files: int
    bad: list[BadPackReport]
    left: list[BadPackReport]
    lost: list[Loss]
    repaired_packs: int
    repaired_chunks: int
    incomplete: list[str]
    missing: list[Loss]
    doubts: list[str]
    adopted_packs: int
    adopted_files: int
    not_adopted: list[str]
    to_check: str

    @classmethod
    def of(
        cls,
        found: Scrubbed,
        repaired: Repaired | None,
        lost: list[Loss],
        incomplete: list[str],
        adopted: Adopted | None,
        compared: Compared,
    ) -> ScrubReport:
        left, taken = repaired.left if repaired else found, adopted or Adopted()
        return cls(
            found.packs,
            found.chunks,
            found.bytes_read,
            found.stray_files,
            [BadPackReport.of(bad) for bad in found.bad],
            [BadPackReport.of(bad) for bad in left.bad],
            lost,
            repaired.packs if repaired else 0,
            repaired.chunks if repaired else 0,
            incomplete,
            compared.missing,
            compared.doubts,
            taken.packs,
            taken.files,
            taken.left,
            journal.TO_CHECK if adopted else "",
        )

    def counts(self) -> dict[str, Any]:
        """The counts that the audit log keeps of this run."""
        return {
            "packs": self.packs,
            "bad_packs": len(self.bad),
            "repaired_packs": self.repaired_packs,
            "repaired_chunks": self.repaired_chunks,
            "lost_files": len(self.lost),
            "incomplete_files": len(self.incomplete),
            "missing_files": len(self.missing),
            "doubts": len(self.doubts),
        }

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    def as_text(self) -> str:
        lines = [
            f"read {self.packs} packs, {self.chunks} chunks, {self.bytes_read:,} bytes; {self.stray_files} files without a row"
        ]
        if self.adopted_packs or self.adopted_files:
            lines.append(f"read back in: {self.adopted_packs} packs, and {self.adopted_files} files that they hold")
        lines += [f"not read back in: {why}" for why in self.not_adopted]
        lines += [bad.told() for bad in self.bad]
        if self.repaired_packs or self.repaired_chunks:
            lines.append(f"brought back: {self.repaired_packs} packs and {self.repaired_chunks} single chunks")
        lines += [f"lost: {loss.told()}" for loss in self.lost]
        lines += [f"incomplete: {told}" for told in self.incomplete]
        lines += [f"missing: {loss.told()}" for loss in self.missing]
        lines += [f"in doubt: {doubt}" for doubt in self.doubts]
        if self.to_check:
            lines.append(f"to check: {self.to_check}")
        if not self.bad:
            whole = not (self.incomplete or self.missing or self.doubts or self.not_adopted)
            lines.append("all of it is sound" if whole else "all that was read is sound")
        elif not self.left:
            lines.append("all of it is sound again")
        return "\n".join(lines)

    def check(self) -> None:
        """Raises DamageFound where something is bad still, or missing."""
        if self.incomplete and not self.left:
            raise DamageFound(
                f"{len(self.incomplete)} files count as stored and lack a part",
                "Unlink them (lepton-server unlink), or restore a backup from before; who has the files can then push them again.",
            )
        if self.left:
            lost = f", and {len(self.lost)} files cannot be rebuilt" if self.lost else "; no file is lost by that"
            raise DamageFound(
                f"{len(self.left)} packs are damaged or missing{lost}",
                "Bring them back with --repair-from BACKUP; or let go of them with --drop-lost, and push the files again.",
            )
        if self.missing:
            raise DamageFound(
                f"{len(self.missing)} files that refs reach are not stored",
                "Let packs that the database does not know be read back in (--adopt); let people who have the files run "
                "`git lepton push --all`; or restore a backup. What nobody has: --drop-lost says so to whoever meets it.",
            )
        if self.not_adopted:
            raise DamageFound(
                f"{len(self.not_adopted)} packs or files could not be read back in: {self.not_adopted[0]}",
                "Mend what is said of each and run this again; with --drop-lost nothing is kept for their sake.",
            )
        if self.doubts:
            raise DamageFound(
                f"git, the database and the storage do not fit each other: {self.doubts[0]}",
                "Bring back what is older; or, where the storage is right: --adopt, where git is: gc --adopt-refs OWNER/REPO.",
            )
