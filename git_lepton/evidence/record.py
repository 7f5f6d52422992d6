"""Records of evidence: canonical JSON of a fixed form (docs/evaluation.md, section 4)."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from git_lepton.errors import CorruptData, WrongUse
from git_lepton.evidence.canonical import canonical, parse_canonical
from git_lepton.evidence.tables import is_metric_name

VERSION = 1
MAX_RECORD_BYTES = 8 << 20
MAX_ATTACHMENT_BYTES = 1 << 20
MAX_SCORES = 500_000  # of one metric
_MAX_METRICS = 1_000
_MAX_TEXT = 10_000
_HEX = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64})?")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class BadRecord(CorruptData):
    """This is no record of evidence, or one that contradicts itself."""


class UnknownRecordVersion(WrongUse):
    """A record of a version or a kind that this program does not know."""


@dataclass(frozen=True)
class Metric:
    """A metric's value: finite. `higher_is_better`: None where the evaluation did not say."""

    value: float
    higher_is_better: bool | None = None


@dataclass(frozen=True)
class Items:
    """The scores of single test items, in the evaluation's order, and which of them belong together (as many, or none)."""

    scores: tuple[float, ...]
    clusters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """One run of an evaluation on one version of a model. Digests are in hex, `seconds` is how long it took."""

    model: str
    model_digest: str
    evaluation: str
    evaluation_digest: str
    metrics: Mapping[str, Metric]
    items: Mapping[str, Items] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    attachments: Mapping[str, str] = field(default_factory=dict)
    made: str = ""
    by: str = ""
    commit: str = ""
    seconds: float = 0.0

    @property
    def key(self) -> tuple[str, str]:
        """What it is evidence of: the digests of the model's version and of the evaluation."""
        return self.model_digest, self.evaluation_digest

    @property
    def environment_class(self) -> bytes:
        """What has to be equal for two runs to be comparable."""
        return canonical(dict(self.environment))

    def encode(self) -> bytes:
        """Its canonical form. Raises BadRecord where it is none that could be read again."""
        metrics = {
            name: {"value": metric.value}
            | ({} if metric.higher_is_better is None else {"higher_is_better": metric.higher_is_better})
            for name, metric in self.metrics.items()
        }
        items = {
            name: {"scores": list(found.scores)} | ({"clusters": list(found.clusters)} if found.clusters else {})
            for name, found in self.items.items()
        }
        data = canonical(
            {
                **_head("evaluation", self),
                "environment": dict(self.environment),
                "metrics": metrics,
                "items": items,
                "attachments": dict(self.attachments),
                "seconds": self.seconds,
            }
        )
        parse_record(data)
        return data


@dataclass(frozen=True)
class Waiver:
    """A maintainer's word that one gate may be missed by one push of one version to `ref`."""

    model: str
    model_digest: str
    evaluation: str
    evaluation_digest: str
    gate: str
    reason: str
    ref: str
    made: str = ""
    by: str = ""
    commit: str = ""

    def encode(self) -> bytes:
        """Its canonical form. Raises BadRecord."""
        data = canonical({**_head("waiver", self), "gate": self.gate, "reason": self.reason, "ref": self.ref})
        parse_record(data)
        return data


def record_name(data: bytes) -> str:
    """The name of a record: the SHA-256 of its canonical form, in hex."""
    return hashlib.sha256(data).hexdigest()


def parse_record(data: bytes) -> Record | Waiver:
    """The record in these bytes. Raises BadRecord, NotCanonical, UnknownRecordVersion."""
    if len(data) > MAX_RECORD_BYTES:
        raise BadRecord(f"a record of evidence has at most {MAX_RECORD_BYTES} bytes, this one has {len(data)}")
    value = parse_canonical(data)
    if not isinstance(value, dict):
        raise BadRecord("a record of evidence is a JSON object")
    if value.get("version") != VERSION or value.get("kind") not in ("evaluation", "waiver"):
        told = f"version {value.get('version')!r}, kind {value.get('kind')!r}"[:200]
        raise UnknownRecordVersion(
            f"this evidence is of a kind that this git-lepton does not know: {told}", "Install a newer one."
        )
    return _Reader(value).waiver() if value["kind"] == "waiver" else _Reader(value).record()


def _head(kind: str, record: Record | Waiver) -> dict[str, Any]:
    return {
        "version": VERSION,
        "kind": kind,
        "model": {"name": record.model, "digest": record.model_digest},
        "evaluation": {"name": record.evaluation, "digest": record.evaluation_digest},
        "made": record.made,
        "by": record.by,
        "commit": record.commit,
    }


class _Reader:
    """Takes a record's values out, one after the other; each method raises BadRecord for what is not as it should be."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._left = {key: item for key, item in value.items() if key not in ("version", "kind")}

    def record(self) -> Record:
        model, model_digest, evaluation, evaluation_digest, made, by, commit = self._head()
        metrics = {_metric_name(name): _metric(name, value) for name, value in self._table("metrics").items()}
        items = {name: _items(name, value) for name, value in self._table("items").items()}
        if not 1 <= len(metrics) <= _MAX_METRICS:
            raise BadRecord(f"evidence has 1 to {_MAX_METRICS} metrics, not {len(metrics)}")
        for name, found in items.items():
            check_mean(name, metrics.get(name), found)
        attachments = self._texts("attachments", MAX_ATTACHMENT_BYTES)
        environment, seconds = self._texts("environment", _MAX_TEXT), _number("seconds", self._left.pop("seconds", None))
        self._end()
        return Record(
            model,
            model_digest,
            evaluation,
            evaluation_digest,
            metrics,
            items,
            environment,
            attachments,
            made,
            by,
            commit,
            seconds,
        )

    def waiver(self) -> Waiver:
        model, model_digest, evaluation, evaluation_digest, made, by, commit = self._head()
        gate, reason, ref = self._text("gate"), self._text("reason"), self._text("ref")
        self._end()
        if not (gate and reason.strip() and ref):
            raise BadRecord("a waiver names a gate, a ref and a reason")
        return Waiver(model, model_digest, evaluation, evaluation_digest, gate, reason, ref, made, by, commit)

    def _head(self) -> tuple[str, str, str, str, str, str, str]:
        names = [*self._named("model"), *self._named("evaluation")]
        made, by, commit = self._text("made"), self._text("by"), self._text("commit")
        if not _TIME.fullmatch(made):
            raise BadRecord("`made` of evidence is a time such as 2026-12-01T12:00:00Z")
        if not _COMMIT.fullmatch(commit):
            raise BadRecord("`commit` of evidence is the whole name of a commit, or empty")
        return names[0], names[1], names[2], names[3], made, by, commit

    def _named(self, key: str) -> tuple[str, str]:
        value = self._table(key)
        if set(value) != {"name", "digest"} or not isinstance(value["name"], str) or not isinstance(value["digest"], str):
            raise BadRecord(f"`{key}` of evidence has a name and a digest")
        if not _HEX.fullmatch(value["digest"]):
            raise BadRecord(f"the digest of the {key} is not 64 hexadecimal digits")
        return _plain(key, value["name"]), value["digest"]

    def _table(self, key: str) -> dict[str, Any]:
        value = self._left.pop(key, None)
        if not isinstance(value, dict):
            raise BadRecord(f"`{key}` of evidence is an object")
        return value

    def _text(self, key: str) -> str:
        value = self._left.pop(key, None)
        if not isinstance(value, str):
            raise BadRecord(f"`{key}` of evidence is a text")
        return _plain(key, value)

    def _texts(self, key: str, most: int) -> dict[str, str]:
        value = self._table(key)
        if not all(isinstance(text, str) for text in value.values()):
            raise BadRecord(f"`{key}` of evidence are texts")
        if sum(len(name.encode()) + len(text.encode()) for name, text in value.items()) > most:
            raise BadRecord(f"`{key}` of evidence have at most {most} bytes together")
        return value

    def _end(self) -> None:
        if self._left:
            raise BadRecord(f"evidence has an unknown key: {', '.join(sorted(self._left))[:200]}")


def check_mean(name: str, metric: Metric | None, items: Items) -> None:
    """Raises BadRecord unless the metric is the mean of its items' scores, by 10^-6 relative or 10^-9."""
    if metric is None:
        raise BadRecord(f"there are scores for {name[:100]!r}, and no such metric")
    mean = math.fsum(items.scores) / len(items.scores)
    if not math.isclose(mean, metric.value, rel_tol=1e-6, abs_tol=1e-9):
        raise BadRecord(f"{name[:100]} is {metric.value:g}, and the mean of its scores is {mean:g}")


def _metric_name(name: str) -> str:
    if not is_metric_name(name):
        raise BadRecord(f"{name[:100]!r} cannot be the name of a metric")
    return name


def _metric(name: str, value: object) -> Metric:
    if not isinstance(value, dict) or not set(value) <= {"value", "higher_is_better"}:
        raise BadRecord(f"metric {name[:100]!r} has a value, and perhaps higher_is_better")
    higher = value.get("higher_is_better")
    if not ((higher is None and "higher_is_better" not in value) or isinstance(higher, bool)):
        raise BadRecord(f"higher_is_better of {name[:100]!r} is true or false")
    return Metric(_number(name, value.get("value")), higher)


def _items(name: str, value: object) -> Items:
    if not isinstance(value, dict) or not {"scores"} <= set(value) <= {"scores", "clusters"}:
        raise BadRecord(f"the items of {name[:100]!r} have scores, and perhaps clusters")
    scores, clusters = value["scores"], value.get("clusters", [])
    if not isinstance(scores, list) or not 1 <= len(scores) <= MAX_SCORES:
        raise BadRecord(f"{name[:100]!r} has 1 to {MAX_SCORES} scores")
    if not isinstance(clusters, list) or not all(isinstance(cluster, str) for cluster in clusters):
        raise BadRecord(f"the clusters of {name[:100]!r} are a list of texts")
    if "clusters" in value and len(clusters) != len(scores):
        raise BadRecord(f"{name[:100]!r} has {len(scores)} scores and {len(clusters)} clusters")
    return Items(tuple(_number(name, score) for score in scores), tuple(clusters))


def _number(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadRecord(f"{name[:100]!r} has a value that is no number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadRecord(f"{name[:100]!r} has a value that is not finite")
    return int(value) if isinstance(value, int) else number


def _plain(key: str, text: str) -> str:
    if len(text) > _MAX_TEXT or not all(letter.isprintable() or letter in "\t\n" for letter in text):
        raise BadRecord(f"`{key}` of evidence is no plain text of at most {_MAX_TEXT} characters")
    return text
