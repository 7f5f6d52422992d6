"""The models of a repository: those of the lepton.toml that the next commit will have."""

from __future__ import annotations

from git_lepton.errors import LeptonError
from git_lepton.evidence.models import Model, models_in
from git_lepton.format.lepton_toml import parse_lepton_toml
from git_lepton.settings.lepton_toml import read_staged_lepton_toml

TYPE_CHECKING = False
if TYPE_CHECKING:
    from git_lepton.git.repository import GitRepository


def read_models(git: GitRepository) -> list[Model]:
    """The models of the lepton.toml that the next commit will have. Raises BadLeptonToml."""
    return models_in(read_staged_lepton_toml(git))


def names_unstaged_base(git: GitRepository) -> bool:
    """Whether the lepton.toml of the work tree names a base that the one which the next commit will have does not. Of one that cannot
    be read nothing is said: `git add` will say it."""
    try:
        text = (git.work_tree() / "lepton.toml").read_bytes()
        here = {model.base for model in models_in(parse_lepton_toml(text, "the work tree's"))}
    except (OSError, LeptonError):
        return False
    return not here <= {"", *(model.base for model in read_models(git))}
