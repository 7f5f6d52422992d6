"""What a scrub says: which packs are bad, which files are lost by that, what was brought back."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from git_lepton.errors import CorruptData
from lepton_server.care.losses import Loss
from lepton_server.care.repairing import Repaired
from lepton_server.care.scrubbing import BadPack, Scrubbed

_NAMED = 20


class DamageFound(CorruptData):
    """What is stored is not all as it should be."""


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
    that count as stored a chunk is not even known."""

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

    @classmethod
    def of(cls, found: Scrubbed, repaired: Repaired | None, lost: list[Loss], incomplete: list[str]) -> ScrubReport:
        left = repaired.left if repaired else found
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
        )

    def counts(self) -> dict[str, Any]:
        """For the audit log."""
        return {
            "packs": self.packs,
            "bad_packs": len(self.bad),
            "repaired_packs": self.repaired_packs,
            "repaired_chunks": self.repaired_chunks,
            "lost_files": len(self.lost),
            "incomplete_files": len(self.incomplete),
        }

    def as_json(self) -> str:
        return json.dumps(asdict(self))

    def as_text(self) -> str:
        lines = [
            f"read {self.packs} packs, {self.chunks} chunks, {self.bytes_read:,} bytes; {self.stray_files} files without a row"
        ]
        lines += [bad.told() for bad in self.bad]
        if self.repaired_packs or self.repaired_chunks:
            lines.append(f"brought back: {self.repaired_packs} packs and {self.repaired_chunks} single chunks")
        lines += [f"lost: {loss.told()}" for loss in self.lost]
        lines += [f"incomplete: {told}" for told in self.incomplete]
        if not self.bad:
            lines.append("all that was read is sound" if self.incomplete else "all of it is sound")
        elif not self.left:
            lines.append("all of it is sound again")
        return "\n".join(lines)

    def check(self) -> None:
        """Raises DamageFound where something is bad still."""
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
