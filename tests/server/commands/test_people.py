"""The commands of `lepton-server` about people and their rights, on a folder that nobody serves at the moment."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from lepton_server.backends import open_database
from lepton_server.cli import main
from lepton_server.identity import accounts, tokens
from lepton_server.repositories import registry
from lepton_server.repositories.permissions import role_of
from lepton_server.settings import ServerSettings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(settings: ServerSettings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command; its exit code, and what it printed and complained."""
    open_database(settings).close()
    place = ["--data", str(settings.data), *(["--database", settings.database] if settings.database else [])]

    def command(*arguments: str) -> tuple[int, str, str]:
        code = main([*arguments, *place])
        said = capsys.readouterr()
        return code, said.out.rstrip("\n"), said.err

    return command


def done(run: Run, *commands: str) -> str:
    """What the last of these printed; none fails."""
    printed = ""
    for command in commands:
        code, printed, said = run(*command.split())
        assert code == 0, (command, said)
    return printed


def role(settings: ServerSettings, name: str, repository: str) -> str | None:
    database = open_database(settings)
    with database.read() as connection:
        caller = accounts.caller_by_id(connection, accounts.known_account(connection, name))
        owner, _, rest = repository.partition("/")
        found = registry.find(connection, owner, rest)
        assert found is not None
        granted = role_of(connection, caller, found)
    database.close()
    return granted


def test_organisations_teams_and_roles(run: Run, settings: ServerSettings) -> None:
    done(run, "user add ann", "user add bob", "org add acme", "org member acme ann --role owner", "org member acme bob")
    assert done(run, "org member acme") == "ann\towner\nbob\tmember"
    done(run, "team add acme/red", "team member acme/red bob", "repo create acme/models", "grant acme/red writer acme/models")
    assert done(run, "team member acme/red") == "bob"
    assert (role(settings, "ann", "acme/models"), role(settings, "bob", "acme/models")) == ("owner", "writer")
    done(run, "team member acme/red bob --remove")
    assert role(settings, "bob", "acme/models") is None
    done(run, "grant bob maintainer acme/models")
    assert role(settings, "bob", "acme/models") == "maintainer"
    done(run, "revoke bob acme/models", "repo visibility acme/models internal")
    assert role(settings, "bob", "acme/models") == "reader"
    done(run, "org member acme ann --remove", "repo visibility acme/models private")
    assert role(settings, "ann", "acme/models") is None


def test_tokens(run: Run, settings: ServerSettings) -> None:
    done(run, "user add ann", "repo create ann/models")
    secret = done(run, "token create ann --scopes read,evidence --repository ann/models --days 2 --label ci")
    assert done(run, "token list ann").split("\t")[:4] == ["1", "ci", "evidence,read", "ann/models"]
    successor = done(run, "token rotate ann 1 --overlap 0")
    done(run, "token create robbie --robot")
    database = open_database(settings)
    with database.read() as connection:
        assert tokens.caller_with(connection, secret) is None
        found = tokens.caller_with(connection, successor)
        assert found is not None
        assert (found[0].name, found[0].scopes, len(found[0].limited_to or ())) == ("ann", {"read", "evidence"}, 1)
        assert accounts.known(connection, "robbie").kind == "robot"
    database.close()
    assert done(run, "token revoke ann --id 2") == "1 revoked"
    assert run("token", "rotate", "ann", "2")[0] == run("token", "rotate", "robbie", "1")[0] == 2


def test_repositories_move_and_fork(run: Run, settings: ServerSettings) -> None:
    done(run, "user add ann", "repo create ann/models --visibility public", "repo rename ann/models weights")
    done(run, "user add bob", "repo transfer ann/weights bob", "repo fork ann/models ann/fork")
    assert done(run, "repo list") == "ann/fork\thosted\tprivate\nbob/weights\thosted\tpublic"
    assert (role(settings, "bob", "ann/models"), role(settings, "ann", "ann/models")) == ("owner", "reader")


def test_tenants_are_apart(run: Run) -> None:
    done(run, "tenant add beyond", "user add ann", "user add eve --tenant beyond", "repo create eve/models")
    assert done(run, "tenant list") == "default\nbeyond"
    assert done(run, "user list --tenant beyond").split("\t")[0] == "eve"
    for command in ("grant ann reader eve/models", "repo transfer eve/models ann", "repo fork eve/models ann/models"):
        assert run(*command.split())[0] == 2


def test_what_comes_with_a_new_name_is_said(run: Run) -> None:
    done(run, "user add ann")
    assert run("repo", "create", "acme/nets") == (0, "", "lepton-server: made the organisation acme\n")
    there = "lepton-server: there is a repository acme/nets already (hosted, private)\n"
    assert run("repo", "create", "acme/nets") == (0, "", there)
    code, out, said = run("repo", "create", "acme/nets", "--external", "--visibility", "public")
    assert (code, out) == (2, "") and said.startswith(there.rstrip("\n"))
    assert "acme/nets\thosted\tprivate" in done(run, "repo list")
    assert run("repo", "rename", "acme/nets", "weights") == (0, "", "")
    led = "lepton-server: acme/nets led to acme/weights until now, and does no longer\n"
    assert run("repo", "create", "acme/nets") == (0, "", led)
    assert run("repo", "fork", "acme/nets", "zoo/nets") == (0, "", "lepton-server: made the organisation zoo\n")
    code, _, said = run("repo", "rename", "acme/nets", "acme/foo")
    assert code == 2 and "a new name has no owner" in said and "lepton-server repo transfer acme/nets acme" in said
    assert "there is no account 'nobody'" in run("repo", "transfer", "acme/nets", "nobody")[2]


def test_wrong_values_are_refused_in_plain_words(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    done(run, "user add ann", "repo create ann/models")
    assert "There is no scope 'fly' for a token." in run("token", "create", "ann", "--scopes", "read,fly")[2]
    for command, words in (
        ("quota set ann/models much", "much is no size; write 512m, 20g or 2t, or none"),
        ("gc --grace soon", "soon is no time; write 90s, 15m, 24h or 7d"),
        ("token create ann --days few", "a token cannot last few days"),
        ("token rotate ann first", "first is no number from 1 on"),
        ("repo codecs ann/models --allow 1,x", "1,x are no codec ids"),
        ("backup somewhere --keep none", "none is no number from 1 on"),
        ("serve --port http", "http is no port"),
        ("serve --failed-logins-per-minute few", "few is no number from 0 on"),
    ):
        with pytest.raises(SystemExit):
            run(*command.split())
        said = capsys.readouterr().err
        assert words in said and "invalid" not in said, command


CANNOT = [
    "user add server",
    "user add ann --tenant nowhere",
    "user disable nobody",
    "tenant add default",
    "tenant add a/b",
    "org member acme nobody",
    "org member ann ann",
    "team add acme/a:b",
    "team member acme/none ann",
    "team member acme/red ann",
    "grant none/red reader acme/models",
    "grant acme/none reader acme/models",
    "grant acme reader acme/models",
    "grant ann king acme/models",
    "token create acme",
    "token create ann --robot",
    "token create ann --scopes king",
    "token rotate ann 99",
    "repo rename acme/models a/b",
    "repo rename acme/models other",
    "repo create server/models",
    "repo create none",
    "repo fork acme/models acme",
    "repo transfer acme/models nobody",
    "repo fork acme/models acme/other",
]


def test_what_cannot_be_done_is_said_in_a_sentence(run: Run) -> None:
    done(run, "user add ann", "org add acme", "team add acme/red", "repo create acme/models", "repo create acme/other")
    for command in CANNOT:
        code, printed, said = run(*command.split())
        assert (code, printed) == (2, ""), command
        assert said.startswith("lepton-server: "), command
        assert "hint: " in said and "address and your token" not in said, command


def test_a_database_out_of_reach_is_said_with_a_hint(settings: ServerSettings, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["user", "list", "--data", str(settings.data), "--database", "postgresql://127.0.0.1:1/none"]) == 5
    assert capsys.readouterr().err.splitlines()[1].startswith("hint: ")


def test_an_account_is_disabled_and_enabled(run: Run, settings: ServerSettings) -> None:
    done(run, "user add ann", "user disable ann")
    assert done(run, "user list").endswith("ann\tdefault\tuser, disabled")
    done(run, "user enable ann")
    assert done(run, "user list").endswith("ann\tdefault\tuser")
    assert [line.split("\t")[3] for line in done(run, "audit --action account").splitlines()][-2:] == [
        "account.disable",
        "account.enable",
    ]


def test_the_audit_log_is_printed_and_exported(run: Run) -> None:
    done(run, "user add ann", "repo create ann/models", "repo rename ann/models weights")
    rows = [json.loads(line) for line in done(run, "audit --account server --since 1h --json").splitlines()]
    assert [row["action"] for row in rows] == ["account.create", "repository.create", "repository.move"]
    assert rows[2]["detail"] == {} and rows[2]["subject"] == "ann/models"
    assert [line.split("\t")[3] for line in done(run, "audit --repository ann/weights").splitlines()] == [
        "repository.create",
        "repository.move",
    ]
    assert done(run, "audit --since 0s") == done(run, "audit --account nobody") == done(run, "audit --until 1h") == ""
    assert run("audit", "--tenant", "nowhere")[0] == 2


def test_repositories_are_deleted_and_come_back(run: Run, settings: ServerSettings) -> None:
    done(run, "user add ann", "repo create ann/models", "repo rename ann/models weights")
    assert run("repo", "delete", "ann/models")[::2] == (
        2,
        "lepton-server: ann/models is called ann/weights now\nhint: Name it so, if you mean that one.\n",
    )
    code, _, said = run("repo", "delete", "ann/weights")
    assert code == 0 and "lepton-server repo undelete ann/weights" in said
    assert done(run, "repo list") == ""
    number, name, when = done(run, "repo list --deleted").split("\t")
    assert name == "ann/weights" and when.startswith("deleted 2")
    done(run, "repo create ann/weights")
    code, _, said = run("repo", "undelete", number)
    assert code == 2 and "There is a repository ann/weights by now" in said
    assert "ann/again is back" in run("repo", "undelete", number, "--as", "again")[2]
    assert [line.split("\t")[0] for line in done(run, "repo list").splitlines()] == ["ann/again", "ann/weights"]
    assert run("repo", "undelete", "ann/again")[0] == 2
    assert run("repo", "default-branch", "ann/again", "main")[0] == 2  # it has none
    assert done(run, "repo default-branch ann/again") == ""


def test_accounts_are_renamed_deleted_and_come_back(run: Run, settings: ServerSettings) -> None:
    done(run, "user add ann", "user add bob", "repo create ann/models", "grant bob writer ann/models", "user rename ann anna")
    assert (role(settings, "anna", "ann/models"), role(settings, "bob", "anna/models")) == ("owner", "writer")
    assert "was the name of another account" in run("user", "add", "ann")[2]
    assert "was the name of another account" in run("repo", "create", "ann/new")[2]
    assert "The name bob is taken" in run("user", "rename", "anna", "bob")[2]
    done(run, "user free-name ann", "user add ann")
    assert "no account was called 'zoe' before" in run("user", "free-name", "zoe")[2]
    code, _, said = run("user", "delete", "anna")
    assert code == 0 and "lepton-server user undelete anna" in said
    assert "anna" not in done(run, "user list") and done(run, "user list --deleted").startswith("anna\t")
    assert done(run, "repo list") == "" and "account anna" not in done(run, "user list")
    assert "is the name of an account, or of a deleted one" in run("user", "free-name", "anna")[2]
    number = done(run, "repo list --deleted").split("\t")[0]
    assert "anna, whose repository it is, is deleted too" in run("repo", "undelete", number)[2]
    done(run, "user undelete anna")
    assert role(settings, "bob", "anna/models") == "writer"
    assert "no deleted account 'anna'" in run("user", "undelete", "anna")[2]
    done(run, "user delete anna", "gc --grace 0s --keep-deleted 0s")
    assert done(run, "user list --deleted") == done(run, "repo list --deleted") == ""
    assert "was the name of another account" in run("user", "add", "anna")[2]
