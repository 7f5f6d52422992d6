"""`git lepton import SOURCE [--to DIR] [--name NAME]`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from git_lepton.entry.arguments import add_json, parser, print_json
from git_lepton.entry.terminal import counted, say
from git_lepton.git.repository import GitRepository
from git_lepton.workflow.download.import_model import Imported, import_model

_TEXT = """Bring a published model into this repository, as a base for others: its files, and in lepton.toml where they came from.
Nothing is fetched from anywhere."""


def main(arguments: Sequence[str]) -> int:
    """Copy a model's files, track and stage them, record their origin."""
    command = parser("import", _TEXT)
    command.add_argument("source", type=Path, metavar="SOURCE", help="a folder, or a snapshot in a Hugging Face cache")
    command.add_argument("--to", type=Path, metavar="DIR", help="where the files go (default: models/NAME at the top)")
    command.add_argument("--name", help="the model's name in lepton.toml (default: that of the source)")
    command.add_argument("--force", action="store_true", help="overwrite existing files that have other content")
    add_json(command)
    options = command.parse_args(arguments)
    done = import_model(GitRepository(), options.source, options.to, options.name, force=options.force)
    if options.json:
        print_json(asdict(done))
    else:
        _say(done)
    return 0


def _say(done: Imported) -> None:
    for path, why in done.left_out.items():
        say(f"left out {path}: it is {why}")
    if done.tracked:
        say(f"tracking {', '.join(done.tracked)}")
    say(f"{done.origin} is in {done.folder}: {counted(len(done.written), 'file')} copied, {len(done.kept)} there already")
    say(f"staged; next: git commit -m 'Import {done.origin}'")
    say(
        f'a model made from it: [model.NAME] with base = "HEAD:{done.folder}" in lepton.toml, or base_model_name_or_path in its config'
    )
