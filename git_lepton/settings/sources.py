"""Sources of weights that are not here: the stores of a repository's remotes, in the order in which they are asked."""

from __future__ import annotations

from git_lepton.errors import LeptonError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.settings.location import StoreLocation
    from git_lepton.settings.settings import Settings


def in_order(settings: Settings, first: StoreLocation | None, commit: str) -> list[StoreLocation]:
    """The stores of all remotes, each once: of those that reach the commit, as far as is known here, then of the others; among
    equals `first`, the one that git would use (None: that is none).

    A remote that names no store, or one that is not to be believed, is left out in silence.
    """
    names = settings.config.subsections("remote")
    if first is not None and (len(names) < 2 or settings.value("url")):
        return [first]
    found = [(first.remote, first)] if first else []
    for name in names:
        try:
            found.append((name, settings.store_location(name)))
        except LeptonError:
            continue
    if len(found) > 1:
        reaching = _reaching(settings, names, commit)
        found.sort(key=lambda pair: pair[0] not in reaching)
    places: dict[tuple[str, str], StoreLocation] = {}
    for _, place in found:
        places.setdefault((place.url, place.repository), place)
    return list(places.values())


def _reaching(settings: Settings, names: list[str], commit: str) -> set[str | None]:
    """Those of these remotes that have a branch, as it was last seen, which reaches the commit."""
    if settings.git is None:
        return set()
    arguments = ("for-each-ref", "--format=%(refname)", "--contains", commit, "refs/remotes/")
    status, output, _ = settings.git.try_run(*arguments)  # fails where the commit is not here, or is none
    refs = output.decode("utf-8", "surrogateescape").splitlines() if status == 0 else []
    return {name for name in names if any(ref.startswith(f"refs/remotes/{name}/") for ref in refs)}
