"""The few commands a contributor needs: `nox -s tests`, `nox -s lint`, `nox -s types`, `nox -s docs`, `nox -s benchmarks`."""

import nox

nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def tests(session: nox.Session) -> None:
    """Both tiers of the tests; with arguments, which go to pytest, what they choose."""
    session.install("-e", ".[dev]")
    session.run("pytest", *session.posargs)
    if not session.posargs:
        session.run("pytest", "-m", "thorough")


@nox.session
def lint(session: nox.Session) -> None:
    """Style and layers."""
    session.install("-e", ".[dev]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """mypy --strict on all three packages."""
    session.install("-e", ".[dev]")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """The pages as a site, in site/; a link that leads nowhere ends it."""
    session.install("-e", ".[docs]")
    session.run("mkdocs", "build", "--strict")


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Every figure of docs/benchmarks.md, beside the peers that are installed; some minutes and gigabytes."""
    session.install("-e", ".[dev]")
    session.run("python", "-m", "benchmarks", *session.posargs)
