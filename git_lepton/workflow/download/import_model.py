"""`git lepton import`: brings a published model into the work tree as a base for others, with its origin on record.

A source is a folder, or a snapshot of a Hugging Face cache, whose links into `blobs` are followed. Nothing is fetched, nothing that
differs is overwritten unasked. The model gets a table in lepton.toml; from then on a model whose configuration says that it was
made from this one (base_model_name_or_path) is stored as a difference to it.
"""

from __future__ import annotations

import filecmp
import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from git_lepton.errors import WrongUse
from git_lepton.evidence.models import Model, models_in
from git_lepton.format.lepton_toml import parse_lepton_toml
from git_lepton.format.placeholders import placeholder
from git_lepton.format.pointer import MAX_POINTER_BYTES
from git_lepton.store.durable import sync_folder, write_durably
from git_lepton.workflow.download.safe_paths import place_of
from git_lepton.workflow.setup.track import track

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from git_lepton.git.repository import GitRepository

WEIGHTS = (
    *(".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".onnx", ".h5", ".keras", ".npz", ".npy", ".msgpack", ".tflite"),
    *(".onnx_data", ".pdparams", ".joblib", ".pkl"),
)
_SNAPSHOT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_CACHED = re.compile(r"models--(.+)")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class NoModelThere(WrongUse):
    """The source is no folder with a model in it."""


class WouldOverwrite(WrongUse):
    """A file that is to be written stands there already, with other content."""


class NameTaken(WrongUse):
    """lepton.toml has another model of that name."""


@dataclass
class Imported:
    """What an import did: the model's name, origin and folder, paths (from the top) that it wrote, that were there already with the
    same content, and that it left out and why; the patterns that it tracks anew."""

    name: str
    origin: str
    folder: str
    written: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    tracked: list[str] = field(default_factory=list)


def import_model(
    git: GitRepository, source: Path, folder: Path | None = None, name: str | None = None, *, force: bool = False
) -> Imported:
    """Copy a model into the work tree's `folder` (default: models/NAME), track its weights, record it in lepton.toml, stage it all.

    Raises NoModelThere, WouldOverwrite (before anything is written), NameTaken, UnsafePath, CannotTrack, GitFailed.
    """
    top = git.work_tree()
    snapshot, origin, known_as = _source(source)
    name = name or _plain(known_as)
    place = _inside(top, top / "models" / name if folder is None else folder.absolute())
    done = Imported(name, origin, place)
    files = dict(_files(snapshot, done))
    if not files:
        raise NoModelThere(f"there are no files in {source}", "Name the folder that the model's files are in.")
    _refuse_placeholders(files, source)
    table = _with_model(top, Model(name, (f"{place}/**",), origin=origin))
    targets = {path: place_of(top, f"{place}/{path}") for path in files}
    _refuse_to_overwrite(files, targets, force)
    for path, file in files.items():
        _copy(file, targets[path], done, f"{place}/{path}")
    patterns = sorted({f"*{Path(path).suffix.lower()}" for path in files if Path(path).suffix.lower() in WEIGHTS})
    done.tracked = track(git, top, patterns).changed if patterns else []
    write_durably(top / "lepton.toml", table)
    _stage(git, [*done.written, *done.kept, "lepton.toml", *([".gitattributes"] if patterns else [])])
    return done


def _source(source: Path) -> tuple[Path, str, str]:
    """The folder with the files, where they came from, and the name that the model has there. Raises NoModelThere."""
    folder = Path(os.path.abspath(source))  # noqa: PTH100 - resolve() would follow links
    if not folder.is_dir():
        raise NoModelThere(f"{source} is not a folder", "Name the folder that the model's files are in.")
    models = sorted(each.name for each in folder.glob("*/") if _CACHED.fullmatch(each.name))
    if models:
        named = ", ".join(models[:5]) + (", ..." if models[5:] else "")
        raise NoModelThere(f"{source} is a cache of several models: {named}", f"Name one of them: {folder / models[0]}")
    if _CACHED.fullmatch(folder.name) or ((folder / "snapshots").is_dir() and (folder / "blobs").is_dir()):
        folder = _newest_snapshot(folder)
    cached = _CACHED.fullmatch(folder.parent.parent.name) if folder.parent.name == "snapshots" else None
    if cached:
        repository = cached[1].replace("--", "/")
        return folder, f"{repository}@{folder.name}", repository.rpartition("/")[2]
    return folder, folder.name, folder.name


def _newest_snapshot(cache: Path) -> Path:
    """The snapshot that `refs/main` names, else the one made last. Raises NoModelThere."""
    with_main = cache / "refs" / "main"
    name = with_main.read_text("utf-8", "replace").strip() if with_main.is_file() else ""
    if _SNAPSHOT.fullmatch(name) and (cache / "snapshots" / name).is_dir():
        return cache / "snapshots" / name
    snapshots = sorted((cache / "snapshots").glob("*/"), key=lambda folder: folder.stat().st_mtime)
    if not snapshots:
        raise NoModelThere(f"{cache} holds no snapshot of a model")
    return snapshots[-1]


def _plain(name: str) -> str:
    """A name that needs no quotes anywhere."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-.") or "model"


def _inside(top: Path, folder: Path) -> str:
    place, root = folder.resolve(), top.resolve()
    if root not in place.parents:
        raise WrongUse(f"{folder} is not a folder inside this repository's work tree", "For example: --to models/base")
    return place.relative_to(root).as_posix()


def _files(source: Path, done: Imported) -> Iterator[tuple[str, Path]]:
    """The model's files: path from its folder, and where the bytes are. Links out of the source (or its cache) are left out."""
    home = os.path.realpath(source.parent.parent if source.parent.name == "snapshots" else source)
    for folder, folders, names in os.walk(source):
        folders[:] = sorted(one for one in folders if not one.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            path = file.relative_to(source).as_posix()
            real = os.path.realpath(file)
            if name.startswith("."):
                continue  # what a hub or a tool keeps there for itself
            if os.path.commonpath([home, real]) != home:
                done.left_out[path] = "a link that leads out of its folder"
            elif Path(real).is_file():
                yield path, Path(real)
            else:
                done.left_out[path] = "not a file, or a link to nothing"


def _refuse_placeholders(files: Mapping[str, Path], source: Path) -> None:
    """A clone whose weights were not brought is no model."""
    for path, file in files.items():
        if file.stat().st_size <= MAX_POINTER_BYTES and (found := placeholder(file.read_bytes())):
            raise NoModelThere(f"{path} is {found.tool}'s pointer, not the weights", f"Run `{found.command}` in {source} first.")


def _refuse_to_overwrite(files: Mapping[str, Path], targets: Mapping[str, Path], force: bool) -> None:
    other = [
        path for path, file in files.items() if targets[path].exists() and not filecmp.cmp(file, targets[path], shallow=False)
    ]
    if other and not force:
        more = f" and {len(other) - 1} more" if len(other) > 1 else ""
        raise WouldOverwrite(f"{targets[other[0]]}{more} is there with other content", "Add --force, or choose --to FOLDER.")


def _copy(file: Path, target: Path, done: Imported, path: str) -> None:
    if target.exists() and filecmp.cmp(file, target, shallow=False):
        done.kept.append(path)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.urandom(6).hex()}")
    try:
        shutil.copyfile(file, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(target.parent)
    done.written.append(path)


def _with_model(top: Path, model: Model) -> bytes:
    """The work tree's lepton.toml with a table for this model; what the user wrote stays as it is. Raises NameTaken, BadLeptonToml."""
    path = top / "lepton.toml"
    text = path.read_bytes() if path.exists() else b""
    present = {one.name: one for one in models_in(parse_lepton_toml(text, "the work tree's"))}.get(model.name)
    if present and (present.origin, present.files) != (model.origin, model.files):
        raise NameTaken(f"lepton.toml has a model {model.name} already", "Choose another name with --name.")
    if present:
        return text
    end = b"\r\n" if b"\r\n" in text else b"\n"
    key = model.name if _BARE_KEY.fullmatch(model.name) else json.dumps(model.name, ensure_ascii=False)
    files = ", ".join(json.dumps(pattern, ensure_ascii=False) for pattern in model.files)
    lines = [f"[model.{key}]", f"files = [{files}]", f"origin = {json.dumps(model.origin, ensure_ascii=False)}", ""]
    gap = b"" if not text else end if text.endswith(b"\n") else end + end
    try:
        return text + gap + end.join(line.encode("utf-8") for line in lines)
    except UnicodeEncodeError as error:
        raise NameTaken(f"{model.name!r} cannot be written in lepton.toml", "Choose other names with --name and --to.") from error


def _stage(git: GitRepository, paths: list[str]) -> None:
    names = b"".join(os.fsencode(path) + b"\0" for path in paths)
    git.run_at_top("--literal-pathspecs", "add", "--force", "--pathspec-from-file=-", "--pathspec-file-nul", stdin=names)
