"""`lepton-server gc`, `repack`, `expire`, `purge` and `unlink`: what keeps the store small, and what takes weights out of it."""

from __future__ import annotations

import argparse

from git_lepton.errors import WrongUse
from lepton_server.commands.argument_types import duration, how_many, oid, one_line
from lepton_server.commands.data_options import existing
from lepton_server.commands.messages import show

Commands = argparse._SubParsersAction
_OPERATOR = "the operator"


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    text = "let go of weights that no ref reaches any more; the server may keep running"
    collect = commands.add_parser("gc", parents=[place], help=text)
    collect.add_argument("--repository", metavar="OWNER/REPO", help="only this one")
    _add_run(collect)
    collect.add_argument(
        "--keep-deleted",
        type=duration,
        metavar="TIME",
        default=30 * 86_400.0,
        help="how long deleted repositories and accounts can be brought back (default: 30d)",
    )
    collect.add_argument(
        "--adopt-refs", metavar="OWNER/REPO", help="accept the refs in its git folder as the right ones, and do nothing else"
    )
    collect.set_defaults(run=_gc)
    text = "read everything that is stored, and name what is damaged or missing and the files it affects; the server may keep running"
    scrub = commands.add_parser("scrub", parents=[place], help=text)
    scrub.add_argument(
        "--repair-from", metavar="BACKUP", help="bring back what is damaged from backups: a folder or s3://BUCKET/PREFIX"
    )
    scrub.add_argument(
        "--drop-lost",
        action="store_true",
        help="what cannot be brought back no longer counts as stored, so people can push it again",
    )
    scrub.add_argument(
        "--adopt", action="store_true", help="first read in packs that the database does not know, with the files in them"
    )
    scrub.add_argument("--resume", action="store_true", help="continue where the last run was stopped")
    scrub.add_argument("--json", action="store_true", help="print one JSON object")
    scrub.set_defaults(run=_scrub)
    _add_expire(commands, place)
    _add_purge(commands, place)
    text = "remove objects from a repository whose git history is hosted elsewhere"
    unlink = commands.add_parser("unlink", parents=[place], help=text)
    unlink.add_argument("repository", metavar="OWNER/REPO")
    unlink.add_argument("oids", nargs="*", type=oid, metavar="OID")
    text = "the objects that a file lists, one per line; - for standard input"
    unlink.add_argument("--from-file", type=argparse.FileType("r"), metavar="FILE", help=text)
    text = "all objects that no push has counted on for so long, such as 90d, even if people still need them"
    unlink.add_argument("--older-than", type=duration, metavar="TIME", help=text)
    unlink.set_defaults(run=_unlink)
    text = "drop what nothing needs, shorten chains of differences, merge small packs; the server may keep running"
    repack = commands.add_parser("repack", parents=[place], help=text)
    repack.add_argument("--repository", metavar="OWNER/REPO", help="only the packs of this repository")
    _add_run(repack)
    repack.set_defaults(run=_repack)


def _add_expire(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    text = "let go of the weights of old versions; their pointers stay, with a note on each"
    command = commands.add_parser("expire", parents=[place], help=text)
    command.add_argument("repository", metavar="OWNER/REPO")
    command.add_argument(
        "--keep-tags",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="keep what tags name (the default), or do not",
    )
    command.add_argument("--keep-last", type=how_many, metavar="N", help="keep the newest N versions of each branch (at least 1)")
    command.add_argument("--older-than", type=duration, metavar="TIME", help="only versions older than this, such as 90d")
    command.add_argument("--path", metavar="GLOB", help="only weights at these paths, such as models/** or *.ckpt")
    command.add_argument(
        "--reason", default="", metavar="TEXT", help="the reason to show people who meet a pointer of these weights"
    )
    command.add_argument("--by", default=_OPERATOR, metavar="NAME", help=f"the name to show them (default: {_OPERATOR})")
    command.add_argument("--dry-run", action="store_true", help="show what would be done, change nothing")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_expire)


def _add_purge(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    text = "remove weights from everywhere at once, and refuse them from then on"
    command = commands.add_parser("purge", parents=[place], help=text)
    command.add_argument("target", metavar="OWNER/REPO@REV:PATH|OID")
    command.add_argument(
        "--reason", default="", metavar="TEXT", help="the reason to show people who meet a pointer of these weights; required"
    )
    command.add_argument("--by", default=_OPERATOR, metavar="NAME", help=f"the name to show them (default: {_OPERATOR})")
    command.add_argument("--everywhere", action="store_true", help="also from other repositories that hold them")
    command.add_argument("--dry-run", action="store_true", help="show what would be done and who holds them, change nothing")
    command.add_argument("--json", action="store_true", help="print one JSON object for each tenant")
    command.set_defaults(run=_purge)


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--grace", type=duration, metavar="TIME", default=86_400.0, help="how long to keep what is no longer used (default: 24h)"
    )
    command.add_argument("--dry-run", action="store_true", help="show what would be done, change nothing")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _gc(options: argparse.Namespace) -> None:
    from lepton_server.admin import maintenance
    from lepton_server.commands.maintenance_output import as_json, collected_as_text
    from lepton_server.maintenance.gc import check

    settings = existing(options)
    if options.adopt_refs:
        maintenance.adopt_refs(settings, options.adopt_refs)
        return
    done = maintenance.gc(
        settings, options.repository, options.grace, dry_run=options.dry_run, keep_deleted_s=options.keep_deleted
    )
    show(as_json(done, options.dry_run) if options.json else collected_as_text(done, options.dry_run))
    check(done)


def _scrub(options: argparse.Namespace) -> None:
    from lepton_server.admin import maintenance

    report = maintenance.scrub(
        existing(options),
        resume=options.resume,
        repair_from=options.repair_from,
        drop_lost=options.drop_lost,
        adopt=options.adopt,
    )
    show(report.as_json() if options.json else report.as_text())
    report.check()


def _expire(options: argparse.Namespace) -> None:
    from lepton_server.admin import maintenance
    from lepton_server.commands.maintenance_output import as_json, expired_as_text
    from lepton_server.maintenance.expire import Expiry
    from lepton_server.maintenance.retention import Keep

    if options.keep_last is None and options.older_than is None:
        raise WrongUse("nothing says which versions are to stay", "Give --keep-last N, --older-than TIME or both.")
    if options.keep_last is not None and options.keep_last < 1:
        raise WrongUse("the newest version of a branch always stays", "Give --keep-last 1 or more.")
    keep = Keep(options.keep_tags, options.keep_last or 1, options.older_than or 0.0)
    expiry = Expiry(keep, options.path, one_line(options.reason) or _rule(options), one_line(options.by))
    done = maintenance.expire(existing(options), options.repository, expiry, dry_run=options.dry_run)
    show(as_json(done, options.dry_run) if options.json else expired_as_text(done, options.dry_run))


def _rule(options: argparse.Namespace) -> str:
    """The reason that the options themselves give."""
    parts = [f"older than {options.older_than / 86_400:g} days"] if options.older_than else []
    parts += [f"not among the last {options.keep_last} of a branch"] if options.keep_last else []
    return ", ".join([*parts, *(["not tagged"] if options.keep_tags else [])])


def _purge(options: argparse.Namespace) -> None:
    from lepton_server.admin import maintenance
    from lepton_server.commands.maintenance_output import as_json, purged_as_text

    reason = one_line(options.reason)
    settings = existing(options)
    if options.dry_run:
        found = maintenance.preview_purge(settings, options.target)
    elif reason:
        found = maintenance.purge(settings, options.target, reason, one_line(options.by), everywhere=options.everywhere)
    else:
        raise WrongUse("a purge needs a reason", "Give --reason TEXT: whoever meets a pointer of these weights is told.")
    for done in found:
        show(as_json(done, options.dry_run) if options.json else purged_as_text(done, options.dry_run))


def _unlink(options: argparse.Namespace) -> None:
    from lepton_server.admin import maintenance

    oids = [*options.oids, *_listed(options)]
    if bool(oids) == (options.older_than is not None):
        raise WrongUse("nothing says which objects are to go", "Name them, give --from-file FILE, or --older-than TIME alone.")
    count = maintenance.unlink(existing(options), options.repository, oids, options.older_than)
    show(f"unlinked: {count} objects")


def _listed(options: argparse.Namespace) -> list[bytes]:
    """Raises WrongUse for a line that is no oid."""
    if options.from_file is None:
        return []
    try:
        return [oid(line.split()[0]) for line in options.from_file if line.strip()]
    except argparse.ArgumentTypeError as error:
        raise WrongUse(f"{error}", "Each line begins with one; sha256: before it is fine.") from None


def _repack(options: argparse.Namespace) -> None:
    from lepton_server.admin.maintenance import repack
    from lepton_server.commands.maintenance_output import as_json, as_text, check

    done = repack(existing(options), options.repository, options.grace, dry_run=options.dry_run)
    show(as_json(done, options.dry_run) if options.json else as_text(done, options.dry_run))
    check(done)
