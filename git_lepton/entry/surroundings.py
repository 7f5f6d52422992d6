"""Errors of the system in our words: a full disk, a missing right, a folder that went away are no bugs of ours. This is the one place
where an error of the system becomes one of ours.
"""

from __future__ import annotations

import errno
import os

from git_lepton.errors import CorruptData, LeptonError, NetworkTrouble, NotAllowed, WrongUse


class OutOfSpace(WrongUse):
    """What is written to is full, or a quota of it is used up."""


class NotPermitted(NotAllowed):
    """The file system does not let us read or write something."""


class PathInTheWay(WrongUse):
    """A path is not what it should be: not there, a file for a folder, a folder for a file, too long, in use."""


class OutOfResources(WrongUse):
    """The system gives no more memory, files or processes."""


class HereNoMore(WrongUse):
    """The current folder was removed."""


class DeviceFails(CorruptData):
    """A device could not be read or written."""


class NetworkBroken(NetworkTrouble):
    """The system's own words for a connection that failed."""


_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_RIGHTS = {errno.EACCES, errno.EPERM, errno.EROFS}
_RESOURCES = {errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOLCK}
_PATHS = {
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOTEMPTY,
    errno.EBUSY,
    errno.ETXTBSY,
    errno.EXDEV,
    errno.ENXIO,
    errno.ENODEV,
    errno.ENOTSUP,
    errno.ESTALE,
}
_WITH_A_NAME = {errno.EINVAL, errno.EILSEQ}  # a name that this file system cannot have; without one a mistake of ours


def as_error_of_ours(error: BaseException) -> LeptonError | None:
    """What to say of an error of the system; None where it tells of a bug."""
    if isinstance(error, MemoryError):
        return OutOfResources("there is not enough memory", "End other programs, or give this one more; then repeat.")
    if not isinstance(error, OSError):
        return None
    said = (
        f"{os.fsdecode(error.filename)}: {error.strerror}"
        if isinstance(error.filename, str | bytes)
        else str(error.strerror or error)
    )
    number = error.errno
    if isinstance(error, ConnectionError | TimeoutError) or type(error).__module__ in ("socket", "ssl"):
        return NetworkBroken(said, "Check the network, then repeat.")
    if number in _SPACE:
        return OutOfSpace(said, "Make room, then repeat.")
    if number in _RIGHTS:
        return NotPermitted(said, "Change its rights, or work where you may write.")
    if number in _RESOURCES:
        return OutOfResources(said, "End other programs, or raise the limit (ulimit -a); then repeat.")
    if number == errno.ENOENT and not _in_a_folder():
        return HereNoMore("the current folder was removed", "Go to a folder that is there: cd")
    if number in _PATHS or (number in _WITH_A_NAME and error.filename is not None):
        return PathInTheWay(said, "Look at that path, or name another.")
    if number == errno.EIO:
        return DeviceFails(said, "Check the disk.")
    return None


def _in_a_folder() -> bool:
    try:
        os.getcwd()  # noqa: PTH109 - a start of our programs pays for every import
    except FileNotFoundError:
        return False
    return True
