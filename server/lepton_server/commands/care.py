"""`lepton-server gc`, `repack`, `expire`, `purge` and `unlink`: what keeps the store small, and what takes weights out of it."""

from __future__ import annotations

import argparse

from git_lepton.errors import WrongUse
from lepton_server.commands.place import existing
from lepton_server.commands.values import duration, how_many, oid, one_line

Commands = argparse._SubParsersAction
_OPERATOR = "the operator"


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    text = "let go of weights that no ref reaches any more; also while the data are served"
    collect = commands.add_parser("gc", parents=[place], help=text)
    collect.add_argument("--repository", metavar="OWNER/REPO", help="only this one")
    _add_run(collect)
    collect.add_argument(
        "--adopt-refs", metavar="OWNER/REPO", help="take the refs that its git folder has for the right ones, and do nothing else"
    )
    collect.set_defaults(run=_gc)
    text = "read all that is stored, say what is damaged or missing and which files that costs; also while the data are served"
    scrub = commands.add_parser("scrub", parents=[place], help=text)
    scrub.add_argument(
        "--repair-from", metavar="BACKUP", help="bring it back from a place of backups: a folder or s3://BUCKET/PREFIX"
    )
    scrub.add_argument(
        "--drop-lost", action="store_true", help="what cannot be brought back counts as stored no more: people can push it again"
    )
    scrub.add_argument("--resume", action="store_true", help="go on where the last run ended in the middle")
    scrub.add_argument("--json", action="store_true", help="print one JSON object")
    scrub.set_defaults(run=_scrub)
    _add_expire(commands, place)
    _add_purge(commands, place)
    text = "take objects out of a repository whose git history is not hosted here"
    unlink = commands.add_parser("unlink", parents=[place], help=text)
    unlink.add_argument("repository", metavar="OWNER/REPO")
    unlink.add_argument("oids", nargs="+", type=oid, metavar="OID")
    unlink.set_defaults(run=_unlink)
    text = "drop what nothing needs, shorten chains of deltas, merge small packs; also while the data are served"
    repack = commands.add_parser("repack", parents=[place], help=text)
    repack.add_argument("--repository", metavar="OWNER/REPO", help="only the packs of this one")
    _add_run(repack)
    repack.set_defaults(run=_repack)


def _add_expire(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    text = "let go of the weights of old versions; pointers and a word on each stay"
    command = commands.add_parser("expire", parents=[place], help=text)
    command.add_argument("repository", metavar="OWNER/REPO")
    command.add_argument(
        "--keep-tags",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="what a tag names stays (this is so unless --no-...)",
    )
    command.add_argument("--keep-last", type=how_many, metavar="N", help="the newest N versions of each branch stay (at least 1)")
    command.add_argument("--older-than", type=duration, metavar="TIME", help="only versions older than this, as 90d")
    command.add_argument("--path", metavar="GLOB", help="only weights at these paths, as models/** or *.ckpt")
    command.add_argument("--reason", default="", metavar="TEXT", help="what people are told who meet a pointer of these weights")
    command.add_argument("--by", default=_OPERATOR, metavar="NAME", help=f"who they are told did it (default: {_OPERATOR})")
    command.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=_expire)


def _add_purge(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    text = "make weights be nowhere any more, at once, and keep them from coming back"
    command = commands.add_parser("purge", parents=[place], help=text)
    command.add_argument("target", metavar="OWNER/REPO@REV:PATH|OID")
    command.add_argument(
        "--reason", required=True, metavar="TEXT", help="what people are told who meet a pointer of these weights"
    )
    command.add_argument("--by", default=_OPERATOR, metavar="NAME", help=f"who they are told did it (default: {_OPERATOR})")
    command.add_argument("--everywhere", action="store_true", help="also where other repositories hold them")
    command.add_argument("--json", action="store_true", help="print one JSON object for each tenant")
    command.set_defaults(run=_purge)


def _add_run(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--grace", type=duration, metavar="TIME", default=86_400.0, help="how long what is no longer of use stays (default: 24h)"
    )
    command.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def _gc(options: argparse.Namespace) -> None:
    from lepton_server import caretaking
    from lepton_server.care.collecting import check
    from lepton_server.care.report import as_json, collected_as_text

    settings = existing(options)
    if options.adopt_refs:
        caretaking.adopt_refs(settings, options.adopt_refs)
        return
    done = caretaking.gc(settings, options.repository, options.grace, dry_run=options.dry_run)
    print(as_json(done, options.dry_run) if options.json else collected_as_text(done, options.dry_run))
    check(done)


def _scrub(options: argparse.Namespace) -> None:
    from lepton_server import caretaking

    report = caretaking.scrub(
        existing(options), resume=options.resume, repair_from=options.repair_from, drop_lost=options.drop_lost
    )
    print(report.as_json() if options.json else report.as_text())
    report.check()


def _expire(options: argparse.Namespace) -> None:
    from lepton_server import caretaking
    from lepton_server.care.expiring import Expiry
    from lepton_server.care.kept_versions import Keep
    from lepton_server.care.report import as_json, expired_as_text

    if options.keep_last is None and options.older_than is None:
        raise WrongUse("nothing says which versions are to stay", "Give --keep-last N, --older-than TIME or both.")
    if options.keep_last is not None and options.keep_last < 1:
        raise WrongUse("the newest version of a branch always stays", "Give --keep-last 1 or more.")
    keep = Keep(options.keep_tags, options.keep_last or 1, options.older_than or 0.0)
    expiry = Expiry(keep, options.path, one_line(options.reason) or _rule(options), one_line(options.by))
    done = caretaking.expire(existing(options), options.repository, expiry, dry_run=options.dry_run)
    print(as_json(done, options.dry_run) if options.json else expired_as_text(done, options.dry_run))


def _rule(options: argparse.Namespace) -> str:
    """The reason that the options themselves give."""
    parts = [f"older than {options.older_than / 86_400:g} days"] if options.older_than else []
    parts += [f"not among the last {options.keep_last} of a branch"] if options.keep_last else []
    return ", ".join([*parts, *(["not tagged"] if options.keep_tags else [])])


def _purge(options: argparse.Namespace) -> None:
    from lepton_server import caretaking
    from lepton_server.care.report import as_json, purged_as_text

    if not one_line(options.reason):
        raise WrongUse("a purge needs a reason", "Give --reason TEXT: whoever meets a pointer of these weights is told.")
    settings = existing(options)
    for done in caretaking.purge(
        settings, options.target, one_line(options.reason), one_line(options.by), everywhere=options.everywhere
    ):
        print(as_json(done, dry_run=False) if options.json else purged_as_text(done))


def _unlink(options: argparse.Namespace) -> None:
    from lepton_server import caretaking

    print(f"unlinked: {caretaking.unlink(existing(options), options.repository, options.oids)} objects")


def _repack(options: argparse.Namespace) -> None:
    from lepton_server.administration import repack
    from lepton_server.care.report import as_json, as_text, check

    done = repack(existing(options), options.repository, options.grace, dry_run=options.dry_run)
    print(as_json(done, options.dry_run) if options.json else as_text(done, options.dry_run))
    check(done)
