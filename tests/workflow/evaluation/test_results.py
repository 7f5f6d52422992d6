"""Results as evaluations write them, honest, careless and hostile; output of lm-evaluation-harness as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from git_lepton.evidence.record import Items, Metric
from git_lepton.workflow.evaluation.result_values import BadResult
from git_lepton.workflow.evaluation.results import parse_result, read_result


def parsed(value: Any):  # type: ignore[no-untyped-def]
    return parse_result(json.dumps(value).encode(), "the result")


def test_metrics_items_clusters_and_environment() -> None:
    found = parsed(
        {
            "metrics": {"accuracy": 0.5, "loss": {"value": 0.1, "higher_is_better": False}},
            "items": {"accuracy": [True, 0]},
            "clusters": {"accuracy": ["x", "y"]},
            "environment": {"device": "cpu"},
        }
    )
    assert found.metrics == {"accuracy": Metric(0.5), "loss": Metric(0.1, False)}
    assert found.items == {"accuracy": Items((1.0, 0), ("x", "y"))}
    assert found.environment == {"device": "cpu"}


def test_a_bare_object_of_numbers_is_metrics() -> None:
    assert parsed({"accuracy": 0.97}).metrics == {"accuracy": Metric(0.97)}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "not JSON"),
        (b"fine", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "no JSON object"),
        (b"{}", "no metrics"),
        (b'{"metrics": {}}', "no metrics"),
        (b'{"metrics": {"a": NaN}}', "not finite: NaN"),
        (b'{"metrics": {"a": 1e999}}', "not finite"),
        (b'{"metrics": {"a": "0.9"}}', "no number"),
        (b'{"metrics": {"a": true}}', "no number"),
        (b'{"metrics": {"a": {"higher_is_better": true}}}', "no value"),
        (b'{"metrics": {"a": {"value": 1, "stderr": 0.1}}}', "unknown key: stderr"),
        (b'{"metrics": {"a b": 1}}', "a metric called"),
        (b'{"metrics": {"a": 1}, "item": {}}', "unknown key: item"),
        (b'{"metrics": {"a": 1}, "items": {"a": [1, 0]}}', "mean of its scores"),
        (b'{"metrics": {"a": 1}, "items": {"b": [1]}}', "no such metric"),
        (b'{"metrics": {"a": 1}, "items": {"a": []}}', "no list of scores"),
        (b'{"metrics": {"a": 1}, "clusters": {"a": ["x"]}}', "and no items"),
        (b'{"metrics": {"a": 1}, "items": {"a": [1]}, "clusters": {"a": ["x", "y"]}}', "not as many"),
        (b'{"metrics": {"a": 1}, "environment": {"device": 1}}', "no text"),
    ],
)
def test_what_is_no_result_is_told(text: bytes, told: str) -> None:
    with pytest.raises(BadResult, match=told):
        parse_result(text, "the result")


def test_the_last_line_counts_only_without_a_file(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    assert read_result(path, b'{"accuracy": 1}').metrics == {"accuracy": Metric(1)}
    path.write_text('{"accuracy": 0.5}')
    assert read_result(path, b'{"accuracy": 1}').metrics == {"accuracy": Metric(0.5)}
    with pytest.raises(BadResult, match="wrote no result"):
        read_result(tmp_path / "absent.json", b"\n")


def test_a_result_without_end_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadResult, match="more than 8 MiB"):
        read_result(path, b"")
    (tmp_path / "link.json").symlink_to("/dev/zero")
    with pytest.raises(BadResult, match="not an ordinary file"):
        read_result(tmp_path / "link.json", b"")


HARNESS: dict[str, Any] = {
    "results": {
        "hellaswag": {"alias": "hellaswag", "acc,none": 0.75, "acc_stderr,none": 0.01, "acc_norm,none": 0.5},
        "gsm8k": {"exact_match,strict-match": 0.25, "exact_match_stderr,strict-match": "N/A"},
    },
    "higher_is_better": {"hellaswag": {"acc": True, "acc_norm": True}},
    "config": {"device": "cuda:0", "model_dtype": "torch.bfloat16", "batch_size": 16},
    "lm_eval_version": "0.4.9",
}


def samples(scores: list[int], metric: str, chosen: str = "none") -> str:
    rows = [{"doc_id": n, "filter": chosen, "metrics": [metric], metric: float(score)} for n, score in enumerate(scores)]
    return "".join(json.dumps(row) + "\n" for row in reversed(rows))


def test_output_of_the_harness_is_read_as_it_is(tmp_path: Path) -> None:
    folder = tmp_path / "out" / "some__model"
    folder.mkdir(parents=True)
    (folder / "results_2026-01-01T00-00-00.000000.json").write_text('{"results": {"old": {"acc,none": 0}}}')
    (folder / "results_2026-12-01T00-00-00.000000.json").write_text(json.dumps(HARNESS))
    (folder / "samples_hellaswag_2026-12-01T00-00-00.000000.jsonl").write_text(samples([1, 0, 1, 1], "acc"))
    (folder / "samples_gsm8k_2026-12-01T00-00-00.000000.jsonl").write_text(samples([1, 1], "exact_match", "strict-match"))
    found = read_result(tmp_path / "out", b"")
    assert found.metrics == {
        "hellaswag/acc": Metric(0.75, True),
        "hellaswag/acc_norm": Metric(0.5, True),
        "gsm8k/exact_match/strict-match": Metric(0.25),
    }
    assert found.items == {"hellaswag/acc": Items((1.0, 0.0, 1.0, 1.0))}  # gsm8k's samples do not average to its metric
    assert found.environment == {
        "harness": "0.4.9",
        "device": "cuda:0",
        "dtype": "torch.bfloat16",
        "batch_size": "16",
    }


def test_the_harness_puts_a_time_into_the_name_that_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "result_2026-12-01T00-00-00.000000.json").write_text(json.dumps(HARNESS))
    assert "hellaswag/acc" in read_result(tmp_path / "result.json", b"").metrics


def test_a_folder_without_results_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadResult, match="without results"):
        read_result(tmp_path, b"")
