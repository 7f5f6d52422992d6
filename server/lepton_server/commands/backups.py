"""`lepton-server backup` and `restore`."""

from __future__ import annotations

import argparse
import json
import time

from git_lepton.errors import CorruptData, WrongUse
from lepton_server.commands.argument_types import at_least_one
from lepton_server.commands.data_options import existing, place_options, settings_of
from lepton_server.commands.messages import show
from lepton_server.settings import S3Settings

Commands = argparse._SubParsersAction


def add(commands: Commands[argparse.ArgumentParser], place: argparse.ArgumentParser) -> None:
    text = (
        "copy everything to a folder or a bucket, beside a server that serves; what an earlier backup brought is not copied again"
    )
    backup = commands.add_parser("backup", parents=[_place_if_any()], help=text)
    backup.add_argument("archive", metavar="DEST", help="a folder or s3://BUCKET/PREFIX that is used for nothing else")
    what = backup.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="print the backups that are in DEST")
    what.add_argument("--verify", action="store_true", help="read all of DEST, or of one --snapshot, and say what is damaged")
    what.add_argument("--keep", type=at_least_one, metavar="N", help="afterwards keep only the newest N backups of this server")
    text = "remove this backup, of whichever server, with all that no other backup needs"
    what.add_argument("--drop", metavar="SNAPSHOT", help=text)
    backup.add_argument("--snapshot", metavar="ID", help="only this backup (with --verify)")
    _add_bucket(backup, "--to", "DEST")
    backup.add_argument("--json", action="store_true", help="print one JSON object")
    backup.set_defaults(run=_backup)
    text = "rebuild a server from a backup in an empty place, also on another kind of database and storage"
    restore = commands.add_parser("restore", parents=[place], help=text)
    restore.add_argument("archive", metavar="SOURCE", help="what `backup` wrote")
    restore.add_argument("--snapshot", metavar="ID", help="which backup to restore (default: the newest)")
    restore.add_argument("--deep", action="store_true", help="also rebuild every version of every file and compare its SHA-256")
    _add_bucket(restore, "--from", "SOURCE")
    restore.add_argument("--json", action="store_true", help="print one JSON object")
    restore.set_defaults(run=_restore)


def _place_if_any() -> argparse.ArgumentParser:
    """The options of a place that --list, --verify and --drop do without: backups outlive their server."""
    place = place_options()
    for action in place._actions:
        action.required = False
    return place


def _add_bucket(command: argparse.ArgumentParser, prefix: str, what: str) -> None:
    group = command.add_argument_group(f"where {what} is a bucket (keys: from where boto3 looks for them)")
    group.add_argument(
        f"{prefix}-s3-endpoint",
        dest="archive_endpoint",
        default="",
        metavar="URL",
        help="the address of an S3 that is not Amazon's",
    )
    group.add_argument(f"{prefix}-s3-region", dest="archive_region", default="", metavar="NAME")
    group.add_argument(f"{prefix}-s3-encryption", dest="archive_encryption", default="", choices=["", "AES256", "aws:kms"])
    group.add_argument(f"{prefix}-s3-kms-key", dest="archive_kms_key", default="", metavar="ID", help="the key for aws:kms")


def _bucket(options: argparse.Namespace) -> S3Settings:
    return S3Settings(
        endpoint=options.archive_endpoint,
        region=options.archive_region,
        encryption=options.archive_encryption,
        kms_key=options.archive_kms_key,
    )


def _backup(options: argparse.Namespace) -> None:
    if options.list:
        _list(options)
    elif options.verify:
        _verify(options)
    elif options.drop is not None:
        _drop(options)
    else:
        _make(options)


def _make(options: argparse.Namespace) -> None:
    from lepton_server.admin import backups

    if options.data is None:
        raise WrongUse("it is not said which server to back up", "Name its --data.")
    done = backups.make(existing(options), options.archive, _bucket(options), options.keep)
    counts = done.snapshot.counts
    told = {
        "snapshot": done.snapshot.id,
        **counts,
        "copied_packs": done.copied_packs,
        "copied_bytes": done.copied_bytes,
        "other_bytes": done.other_bytes,
        "pruned_snapshots": done.pruned_snapshots,
        "pruned_files": done.pruned_files,
    }
    if options.json:
        show(json.dumps(told))
        return
    show(f"{done.snapshot.id}: {counts['repositories']:,} repositories, {counts['objects']:,} files in {counts['packs']:,} packs")
    show(f"copied: {done.copied_packs:,} packs of {done.copied_bytes:,} bytes, and {done.other_bytes:,} bytes of rows and git")
    if options.keep is not None:
        show(f"pruned: {done.pruned_snapshots:,} backups, {done.pruned_files:,} files that only they needed")


def _list(options: argparse.Namespace) -> None:
    from lepton_server.admin import backups

    found = backups.listed(options.archive, _bucket(options))
    if options.json:
        rows = [{"snapshot": s.id, "server": s.server, "started": s.started, "finished": s.finished, **s.counts} for s in found]
        show(json.dumps({"backups": rows}))
        return
    for one in found:
        day = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(one.finished / 1000))
        size = f"{one.counts.get('objects', 0):,} files, {one.counts.get('pack_bytes', 0):,} bytes of packs"
        show(f"{one.id}  {day}  server {one.server[:8]}  {size}")


def _verify(options: argparse.Namespace) -> None:
    from lepton_server.admin import backups

    problems = backups.verify(options.archive, _bucket(options), options.snapshot)
    if options.json:
        show(json.dumps({"problems": problems}))
    else:
        show("\n".join(problems) if problems else "everything in these backups is as it was written")
    if problems:
        raise backups.BadBackup(
            f"{len(problems)} things in {options.archive} are damaged or absent", "Make a new backup elsewhere."
        )


def _drop(options: argparse.Namespace) -> None:
    from lepton_server.admin import backups

    done = backups.drop(options.archive, _bucket(options), options.drop)
    if options.json:
        show(json.dumps({"dropped_snapshots": done.snapshots, "dropped_files": done.files}))
    else:
        show(f"dropped: {options.drop}, and {done.files:,} files that only it needed")


def _restore(options: argparse.Namespace) -> None:
    from lepton_server.admin import backups

    done = backups.restore_server(settings_of(options), options.archive, _bucket(options), options.snapshot, deep=options.deep)
    told = {"snapshot": done.snapshot.id, "packs": done.packs, "chunks": done.chunks, "objects": done.objects}
    told |= {"incomplete": done.incomplete}
    if options.json:
        show(json.dumps(told))
    else:
        show(
            f"restored {done.snapshot.id}: {done.objects:,} files, {done.chunks:,} chunks in {done.packs:,} packs, all of them checked"
        )
        for lack in done.incomplete:
            show(f"incomplete: {lack}")
    if done.incomplete:
        raise CorruptData(
            f"all was restored but {len(done.incomplete)} files, of which a part was not there when the backup was made",
            "Whoever has these files can push them again.",
        )
