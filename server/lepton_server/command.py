"""The program `lepton-server`: serves a data folder, and changes accounts, tokens, rights and repositories in it."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from git_lepton import __version__
from git_lepton.errors import LeptonError, WrongUse

_OUR_BUG = 70
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    options = _parser().parse_args(arguments)
    try:
        run: Callable[[argparse.Namespace], None] = options.run
        run(options)
    except LeptonError as error:
        print(f"lepton-server: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"lepton-server: {error.strerror}: {error.filename}", file=sys.stderr)
        return WrongUse.exit_code
    except Exception:
        traceback.print_exc()
        print("lepton-server: this is our bug; please report what is above", file=sys.stderr)
        return _OUR_BUG
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("lepton-server", description="Stores model weights, and the git history beside them.")
    parser.add_argument("--version", action="version", version=f"lepton-server {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    data = argparse.ArgumentParser(add_help=False)
    data.add_argument("--data", type=Path, required=True, metavar="DIR", help="the folder that holds everything")
    _add_serve(commands, data)
    user = commands.add_parser("user", help="accounts").add_subparsers(required=True, metavar="COMMAND")
    add = user.add_parser("add", parents=[data], help="add an account")
    add.add_argument("name", metavar="NAME")
    add.add_argument("--admin", action="store_true", help="may do everything")
    add.set_defaults(run=_add_user)
    token = commands.add_parser("token", help="tokens").add_subparsers(required=True, metavar="COMMAND")
    create = token.add_parser("create", parents=[data], help="print a new token of an account, and nothing else")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--label", default="", metavar="TEXT", help="what it is for")
    create.add_argument("--days", type=number_of_days, metavar="DAYS", help="how long it lasts (default: for ever)")
    create.set_defaults(run=_create_token)
    revoke = token.add_parser("revoke", parents=[data], help="end the tokens of an account")
    revoke.add_argument("name", metavar="NAME")
    revoke.add_argument("--label", metavar="TEXT", help="only those made with this label")
    revoke.set_defaults(run=_revoke_tokens)
    grant = commands.add_parser("grant", parents=[data], help="give an account a role in a repository")
    grant.add_argument("name", metavar="NAME")
    grant.add_argument("role", metavar="ROLE", help="reader, writer, maintainer or owner")
    grant.add_argument("repository", metavar="OWNER/REPO")
    grant.set_defaults(run=_grant)
    repo = commands.add_parser("repo", help="repositories").add_subparsers(required=True, metavar="COMMAND")
    make = repo.add_parser("create", parents=[data], help="make a repository")
    make.add_argument("repository", metavar="OWNER/REPO")
    make.add_argument("--external", action="store_true", help="its git history is hosted elsewhere")
    make.set_defaults(run=_create_repository)
    codecs = repo.add_parser("codecs", parents=[data], help="print the codecs that a repository allows, or allow more")
    codecs.add_argument("repository", metavar="OWNER/REPO")
    codecs.add_argument("--allow", type=codec_ids, metavar="IDS", help="joined by commas; clients that lack one must upgrade")
    codecs.set_defaults(run=_codecs)
    _add_repack(commands, data)
    return parser


def _add_repack(commands: argparse._SubParsersAction[argparse.ArgumentParser], data: argparse.ArgumentParser) -> None:
    text = "drop what nothing needs, shorten chains of deltas, merge small packs; also while the folder is served"
    repack = commands.add_parser("repack", parents=[data], help=text)
    repack.add_argument("--repository", metavar="OWNER/REPO", help="only the packs of this one")
    repack.add_argument(
        "--grace", type=duration, metavar="TIME", default=86_400.0, help="how long what is no longer of use stays (default: 24h)"
    )
    repack.add_argument("--dry-run", action="store_true", help="say what would be done, change nothing")
    repack.add_argument("--json", action="store_true", help="print one JSON object")
    repack.set_defaults(run=_repack)


def _add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser], data: argparse.ArgumentParser) -> None:
    serve = commands.add_parser("serve", parents=[data], help="serve a folder")
    serve.add_argument("--host", default="127.0.0.1", help="where to listen (default: this machine only)")
    serve.add_argument("--port", type=port_number, metavar="PORT", default=8417, help="0 takes a free one (default: 8417)")
    serve.add_argument("--workers", type=int, default=1, metavar="COUNT", help="processes; the embedded database serves one")
    serve.add_argument("--public-url", default="", metavar="URL", help="how clients reach it, where a proxy stands before it")
    serve.add_argument(
        "--session-seconds", type=int, metavar="SECONDS", default=3600, help="after which an unused upload ends (default: 3600)"
    )
    serve.add_argument(
        "--transfer-seconds", type=int, metavar="SECONDS", default=900, help="for which a transfer URL is good (default: 900)"
    )
    serve.set_defaults(run=_serve)


def port_number(text: str) -> int:
    if not 0 <= int(text) <= 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port; ports are 0 to 65535")
    return int(text)


def number_of_days(text: str) -> float:
    if not 0 < float(text) <= 36500:
        raise argparse.ArgumentTypeError(f"a token cannot last {text} days")
    return float(text)


def codec_ids(text: str) -> set[int]:
    return {int(part) for part in text.split(",")}


def duration(text: str) -> float:
    """Seconds in `90`, `90s`, `15m`, `24h` or `7d`."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    if not 0 <= float(number) * _UNITS[unit] <= 10 * 365 * _UNITS["d"]:
        raise argparse.ArgumentTypeError(f"{text} is no time; write 90s, 15m, 24h or 7d")
    return float(number) * _UNITS[unit]


def _data(options: argparse.Namespace) -> Path:
    """The data folder of a server that has run: accounts in a new one would be nobody's."""
    from lepton_server.settings import ServerSettings

    folder: Path = options.data
    if not ServerSettings(folder).database_file.is_file():
        raise WrongUse(f"no server keeps its data in {folder}", "Check --data; `lepton-server serve --data DIR` makes a new one.")
    return folder


def _serve(options: argparse.Namespace) -> None:
    if options.workers != 1:
        raise WrongUse(
            f"the embedded database serves one process, not {options.workers}",
            "Leave --workers at 1: one process uses all cores.",
        )
    from lepton_server.serving import serve
    from lepton_server.settings import ServerSettings

    lasting = {"session_seconds": options.session_seconds, "transfer_seconds": options.transfer_seconds}
    serve(ServerSettings(options.data.resolve(), options.host, options.port, options.public_url.rstrip("/"), **lasting))


def _add_user(options: argparse.Namespace) -> None:
    from lepton_server.administration import add_user

    add_user(_data(options), options.name, admin=options.admin)


def _create_token(options: argparse.Namespace) -> None:
    from lepton_server.administration import new_token

    print(new_token(_data(options), options.name, options.label, options.days))


def _revoke_tokens(options: argparse.Namespace) -> None:
    from lepton_server.administration import revoke_tokens

    print(f"{revoke_tokens(_data(options), options.name, options.label)} revoked")


def _grant(options: argparse.Namespace) -> None:
    from lepton_server.administration import grant

    grant(_data(options), options.name, options.role, options.repository)


def _create_repository(options: argparse.Namespace) -> None:
    from lepton_server.administration import create_repository

    create_repository(_data(options), options.repository, "external" if options.external else "hosted")


def _codecs(options: argparse.Namespace) -> None:
    from lepton_server.administration import codecs

    print(",".join(map(str, codecs(_data(options), options.repository, options.allow))))


def _repack(options: argparse.Namespace) -> None:
    from lepton_server.administration import repack
    from lepton_server.care.report import as_json, as_text, check

    done = repack(_data(options), options.repository, options.grace, dry_run=options.dry_run)
    print(as_json(done, options.dry_run) if options.json else as_text(done, options.dry_run))
    check(done)


if __name__ == "__main__":
    sys.exit(main())
