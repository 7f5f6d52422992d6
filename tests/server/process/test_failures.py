"""A program of the server's that may not write its data says so in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError

from lepton_server.process.failures import say_failure


def _failure(url: str) -> DBAPIError:
    engine = create_engine(url)
    with pytest.raises(DBAPIError) as failed, engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (x)"))
    engine.dispose()
    return failed.value


def test_a_database_that_may_not_be_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "there").touch()
    for name in ("there", "no/folder"):  # one that may only be read; one beside which nothing can be made
        assert say_failure(_failure(f"sqlite:///file:{tmp_path}/{name}?mode=ro&uri=true")) == 2
        said = capfd.readouterr().err
        assert said.startswith("lepton-server: the database cannot be written: its file, or the folder with it, is read-only")
        assert "hint: " in said
        assert "Traceback" not in said


def test_a_file_on_a_read_only_file_system(capfd: pytest.CaptureFixture[str]) -> None:
    assert say_failure(OSError(30, "Read-only file system", "/srv/data/care.lock")) == 2
    assert capfd.readouterr().err == "lepton-server: Read-only file system: /srv/data/care.lock\n"
