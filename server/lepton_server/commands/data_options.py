"""The options that say where a server's data are, the same for every command, and the settings that they make.

Each may come from the environment instead (GIT_LEPTON_SERVER_DATABASE and so on): a password in a URL is not for the list of processes.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from git_lepton.errors import WrongUse
from lepton_server.settings import S3Settings, ServerSettings

_VARIABLE = "GIT_LEPTON_SERVER_"


def place_options() -> argparse.ArgumentParser:
    """A parent for the parser of every command that touches the data."""
    place = argparse.ArgumentParser(add_help=False)
    group = place.add_argument_group("where the data are (also from the environment: GIT_LEPTON_SERVER_DATA, ..._DATABASE, ...)")
    data, git = _default("DATA"), _default("GIT")
    group.add_argument(
        "--data",
        type=Path,
        required=not data,
        default=Path(data) if data else None,
        metavar="DIR",
        help="the folder for everything that the other options do not put elsewhere",
    )
    group.add_argument(
        "--database",
        default=_default("DATABASE"),
        metavar="URL",
        help="postgresql://USER:PASSWORD@HOST/NAME (default: SQLite in DIR)",
    )
    group.add_argument(
        "--storage", default=_default("STORAGE"), metavar="URL", help="s3://BUCKET/PREFIX or file:///FOLDER (default: DIR/packs)"
    )
    group.add_argument(
        "--git",
        type=Path,
        default=Path(git) if git else None,
        metavar="DIR",
        help="where hosted git repositories are: a folder that all processes share (default: DIR/git)",
    )
    group.add_argument(
        "--s3-endpoint", default=_default("S3_ENDPOINT"), metavar="URL", help="the address of an S3 that is not Amazon's"
    )
    group.add_argument(
        "--s3-public-endpoint",
        default=_default("S3_PUBLIC_ENDPOINT"),
        metavar="URL",
        help="the address at which clients reach that S3",
    )
    group.add_argument("--s3-region", default=_default("S3_REGION"), metavar="NAME")
    group.add_argument(
        "--s3-encryption",
        default=_default("S3_ENCRYPTION"),
        choices=["", "AES256", "aws:kms"],
        help="how the bucket's server encrypts",
    )
    group.add_argument("--s3-kms-key", default=_default("S3_KMS_KEY"), metavar="ID", help="the key for aws:kms")
    group.add_argument(
        "--s3-direct",
        default=_default("S3_DIRECT") or "auto",
        choices=["auto", "always", "never"],
        help="whether clients send and fetch packs at the bucket itself (auto: if the bucket passes a test at the start)",
    )
    return place


def settings_of(options: argparse.Namespace) -> ServerSettings:
    """The settings that these options make, whether there are data or not."""
    s3 = S3Settings(
        options.s3_endpoint,
        options.s3_public_endpoint,
        options.s3_region,
        options.s3_encryption,
        options.s3_kms_key,
        options.s3_direct,
    )
    git = options.git.resolve() if options.git else None
    return ServerSettings(options.data.resolve(), database=options.database, storage=options.storage, s3=s3, git=git)


def existing(options: argparse.Namespace) -> ServerSettings:
    """The settings that these options make, for data that are there: accounts in a new folder would be nobody's. Raises WrongUse."""
    settings = settings_of(options)
    if not settings.database and not settings.database_file.is_file():
        raise WrongUse(
            f"no server keeps its data in {options.data}", "Check --data; `lepton-server serve --data DIR` makes a new one."
        )
    return settings


def _default(name: str) -> str:
    return os.environ.get(_VARIABLE + name, "").strip()
