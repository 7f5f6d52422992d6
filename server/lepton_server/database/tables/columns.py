"""The kinds of columns that the tables are made of, alike on both databases."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    TypeDecorator,
)

metadata = MetaData()
Row = BigInteger().with_variant(Integer, "sqlite")  # SQLite numbers rows only in columns that are called INTEGER


class Digest(LargeBinary):
    """A name of content. Drivers take and give bytes: there is nothing to convert, 50,000 times in one plan."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> None:  # noqa: ARG002 - SQLAlchemy calls it so
        return None

    def result_processor(self, dialect: Dialect, coltype: object) -> None:  # noqa: ARG002 - SQLAlchemy calls it so
        return None


class Unsigned64(TypeDecorator[int]):
    """An unsigned number of 64 bits, kept as the signed one of the same bits."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy calls it so
        return value if value is None or value < 1 << 63 else value - (1 << 64)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy calls it so
        return value if value is None else int(value) & 0xFFFFFFFFFFFFFFFF


def number() -> Column[int]:
    return Column("id", Row, primary_key=True, autoincrement=True)


def to(name: str, table: str, **options: Any) -> Column[int]:
    return Column(name, Row, ForeignKey(f"{table}.id"), nullable=options.pop("nullable", False), **options)


def digest(name: str, **options: Any) -> Column[bytes]:
    return Column(name, Digest(32), nullable=options.pop("nullable", False), **options)


def short_text(name: str, **options: Any) -> Column[str]:
    return Column(name, String(255), nullable=options.pop("nullable", False), **options)


def count(name: str, **options: Any) -> Column[int]:
    return Column(name, BigInteger, nullable=options.pop("nullable", False), **options)


def of_upload() -> Column[str]:
    return Column("upload", String(64), ForeignKey("uploads.id"), primary_key=True)
