"""Many objects of an external repository at once: by a list, or by age."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from lepton_server.database.tables import object_links
from tests.server.weights_client import Connect, Noise, WeightsClient, weights
from tests.support.running_server import RunningServer


@pytest.fixture
def external(connect: Connect) -> WeightsClient:
    client = connect()
    assert client.ask("PUT", json={"kind": "external"}).status_code == 200
    return client


def test_by_a_list(server: RunningServer, external: WeightsClient, noise: Noise, tmp_path: Path) -> None:
    gone, also, kept = (weights(noise(2000)) for _ in range(3))
    external.upload(gone, also, kept)
    listed = tmp_path / "list"
    listed.write_text(f"sha256:{gone.oid.hex}  a/model.bin\n\n{also.oid.hex}\n")
    assert server.run("unlink", external.name, "--from-file", str(listed)) == "unlinked: 2 objects"
    assert external.check(gone.oid, also.oid, kept.oid) == [0, 0, 2]


def test_by_age(server: RunningServer, external: WeightsClient, noise: Noise) -> None:
    old, young = weights(noise(2000)), weights(noise(2000))
    external.upload(old, young)
    with server.looking_into() as connection:
        long_ago = update(object_links).where(object_links.c.oid == old.oid.raw).values(created=0, counted_on=None)
        connection.execute(long_ago)
    assert server.run("unlink", external.name, "--older-than", "365d") == "unlinked: 1 objects"
    assert external.check(old.oid, young.oid) == [0, 2]


def test_what_names_nothing_or_nonsense_is_refused(server: RunningServer, external: WeightsClient, tmp_path: Path) -> None:
    (tmp_path / "list").write_text("model.bin\n")
    for options, told in (
        ([], "nothing says which objects"),
        (["0" * 64, "--older-than", "1d"], "nothing says which objects"),
        (["--from-file", str(tmp_path / "list")], "model.bin is no oid"),
    ):
        with pytest.raises(AssertionError, match=told):
            server.run("unlink", external.name, *options)
