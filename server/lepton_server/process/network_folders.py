"""Network folders: those on another machine, where SQLite's locks and shared memory cannot be trusted."""

from __future__ import annotations

from pathlib import Path

from git_lepton.errors import WrongUse

_MOUNTS = Path("/proc/self/mounts")  # Linux; elsewhere nothing is known, and nothing refused
_OF_NETWORKS = {"nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ncpfs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs"}
_OF_NETWORKS |= {"fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.rclone"}


class FolderOnNetwork(WrongUse):
    """The embedded database would lie on a network file system."""


def refuse_network_folder(folder: Path, mounts: Path = _MOUNTS) -> None:
    """Raises FolderOnNetwork."""
    kind = _file_system(folder, mounts)
    if kind in _OF_NETWORKS:
        raise FolderOnNetwork(
            f"{folder} is on a network file system ({kind}), and the embedded database needs a disk of this machine",
            "Choose a --data on a local disk, or use PostgreSQL (--database).",
        )


def _file_system(folder: Path, mounts: Path) -> str:
    """The kind of file system that a folder is on, "" where that cannot be known."""
    try:
        lines = mounts.read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    place, found, best = folder.resolve(), "", -1
    for line in lines:
        _, point, kind, *_ = line.split(" ")
        mounted = Path(point.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\"))
        if place.is_relative_to(mounted) and len(mounted.parts) >= best:  # of two mounts at one place the later hides the other
            found, best = kind, len(mounted.parts)
    return found
