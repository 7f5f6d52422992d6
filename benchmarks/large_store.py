"""A server's database as it is after years: a million chunks, ten thousand versions, in one repository. Rows only, no bytes.

The newest version has 50,000 chunks in 500 packs; the other 9,999 share 950,000 chunks in 9,500 packs. Names are random, as digests are.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

from lepton_server.database.transactions import Database

CHUNKS, VERSIONS, PACKS = 1_000_000, 10_000, 10_000
NEWEST = 50_000
_IN_PACK = CHUNKS // PACKS
_SERIES = {
    "sqlite": "(WITH RECURSIVE s(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n + 1 < {count}) SELECT n FROM s)",
    "postgresql": "(SELECT generate_series(CAST(0 AS bigint), {count} - 1) AS n)",
}
_NAME = {"sqlite": "randomblob(32)", "postgresql": "sha256(CAST('{kind}' || n AS bytea))"}


def fill(database: Database, repository: int, *, deltas: bool = False) -> list[bytes]:
    """Add the rows; the names of the newest version's chunks, in file order. `deltas`: each of these lies on an older one."""
    with database.write() as connection:
        kind = connection.dialect.name

        def rows(count: int) -> str:
            return _SERIES[kind].format(count=count)

        def name(of: str) -> str:
            return _NAME[kind].format(kind=of)

        _add_packs(connection, repository, rows(PACKS), name("pack"))
        first = connection.execute(text("SELECT min(id) FROM packs")).scalar_one()
        base = "NULL" if kind == "sqlite" else "NULL::bytea"
        connection.execute(
            text(
                'INSERT INTO encodings (tenant, chunk, pack, "offset", stored, raw, codec, depth, base, checksum) '
                f"SELECT 1, {name('chunk')}, {first} + n / {_IN_PACK}, 96 + (n % {_IN_PACK}) * 500000, 499912, 4194304, 4, 0, {base}, "
                f"n * 1000003 FROM {rows(CHUNKS)} s"
            )
        )
        connection.execute(text(f"INSERT INTO chunk_links (repository, chunk) SELECT {repository}, chunk FROM encodings"))
        _add_objects(connection, repository, rows(VERSIONS - 1), name("object"))
        newest = f"FROM encodings WHERE pack < {first} + {NEWEST // _IN_PACK}"
        found = list(connection.execute(text(f'SELECT chunk {newest} ORDER BY pack, "offset"')).scalars())
        if deltas:
            connection.execute(
                text(
                    "UPDATE encodings SET depth = 1, base = (SELECT chunk FROM encodings o WHERE o.pack = encodings.pack + 1000 "
                    f'AND o."offset" = encodings."offset") WHERE pack < {first} + {NEWEST // _IN_PACK}'
                )
            )
    _settle(database)
    return [bytes(chunk) for chunk in found]


def _add_packs(connection: Connection, repository: int, rows: str, name: str) -> None:
    connection.execute(
        text(
            "INSERT INTO packs (tenant, repository, uploader, name, storage_key, size, state, received) "
            f"SELECT 1, {repository}, 1, {name}, 'aa/' || n, 50000000, 'verified', 0 FROM {rows} s"
        )
    )


def _add_objects(connection: Connection, repository: int, rows: str, name: str) -> None:
    connection.execute(
        text(
            "INSERT INTO objects (tenant, oid, size, manifest_digest, manifest) "
            f"SELECT 1, {name}, 400000000, {name}, {name} FROM {rows} s"
        )
    )
    connection.execute(
        text(f"INSERT INTO object_links (repository, oid, object, created) SELECT {repository}, oid, id, 0 FROM objects")
    )


def _settle(database: Database) -> None:
    """What a database does by itself in the course of years: counts, and puts rows where reading finds them fast."""
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE" if database.is_shared else "ANALYZE"))
