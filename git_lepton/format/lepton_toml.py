"""The text of a lepton.toml: bytes to tables. What the tables mean is said where they are used."""

from __future__ import annotations

from git_lepton.errors import WrongUse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAX_LEPTON_TOML_BYTES = 1 << 20


class BadLeptonToml(WrongUse):
    """lepton.toml can't be read."""


def parse_lepton_toml(text: bytes, where: str = "HEAD's") -> dict[str, Any]:
    """The tables in these bytes; `where` they are from is said in errors. Raises BadLeptonToml, which names the line."""
    import tomllib

    if len(text) > MAX_LEPTON_TOML_BYTES:
        raise BadLeptonToml(f"{where} lepton.toml has {len(text)} bytes; at most {MAX_LEPTON_TOML_BYTES} are read")
    try:
        return tomllib.loads(text.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadLeptonToml(f"{where} lepton.toml is broken: {error}", "Correct it, and commit it.") from error
    except RecursionError as error:
        raise BadLeptonToml(f"{where} lepton.toml is nested too deeply", "Correct it, and commit it.") from error
