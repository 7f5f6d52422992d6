"""Many chunks by name in one statement: the names go to the database as one value, and it walks its index in their order.

A statement with a parameter for each name takes three times as long: most of it goes into the parameters.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy
from sqlalchemy import BigInteger, Connection, LargeBinary, Select, Subquery, bindparam, column, text

from git_lepton.wire.protocol import DIGEST_BYTES

MOST_NAMES = 65_536  # in one statement: each goes once through all of a large repository's index
_FEW = 500
_NAME = numpy.dtype([("head", ">u8"), ("rest", "V24")])
_NUMBERED = {
    "sqlite": (
        "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < :count) "
        "SELECT n, substr(:names, n * 32 + 1, 32) AS chunk FROM numbers"
    ),
    "postgresql": (
        "SELECT n, substring(CAST(:names AS bytea) FROM n * 32 + 1 FOR 32) AS chunk "
        "FROM generate_series(0, CAST(:count AS integer) - 1) AS n"
    ),
}
# PostgreSQL thinks that reading all of a large table is quicker than thousands of looks into its index; it takes three times as long.
_INDEX_ONLY = "SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off; SET LOCAL max_parallel_workers_per_gather = 0"


def sorted_names(digests: bytes) -> tuple[list[int], bytes]:
    """Names that lie one after the other, in the order of an index, and for each of these its place in `digests`."""
    names = numpy.frombuffer(digests, _NAME)
    order = names["head"].argsort(kind="stable")  # by the first 8 bytes: as good as by all
    return order.tolist(), names[order].tobytes()


def asked(connection: Connection, names: bytes) -> Subquery:
    """Rows of `n`, the place of a name in `names`, and `chunk`, the name. At least one name, sorted: else the walk is slow."""
    count = len(names) // DIGEST_BYTES
    if connection.dialect.name == "postgresql" and count > _FEW:
        connection.exec_driver_sql(_INDEX_ONLY)
    values = bindparam("names", names, LargeBinary), bindparam("count", count, BigInteger)
    numbered = text(_NUMBERED[connection.dialect.name]).bindparams(*values)
    return numbered.columns(column("n", BigInteger), column("chunk", LargeBinary)).subquery("asked")


def all_rows(connection: Connection, query: Select[Any]) -> list[tuple[Any, ...]]:
    """What a query gives, as the driver gives it: for a hundred thousand rows of numbers and bytes, in a third of the time."""
    cursor = connection.execute(query).cursor
    assert cursor is not None  # a SELECT has one
    return list(cursor.fetchall())


def windows(digests: bytes, size: int = MOST_NAMES) -> Iterator[bytes]:
    """The names that lie one after the other in `digests`, so many at a time."""
    step = DIGEST_BYTES * size
    for start in range(0, len(digests), step):
        yield digests[start : start + step]


def split(digests: bytes) -> list[bytes]:
    """The names that lie one after the other in `digests`, 32 bytes each."""
    return [digests[at : at + DIGEST_BYTES] for at in range(0, len(digests), DIGEST_BYTES)]
