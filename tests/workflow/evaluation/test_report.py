"""git lepton report: the verdict first, numbers with their noise, where the model changed, within what a comment may have."""

from __future__ import annotations

import json

from git_lepton.entry.report_markdown import MARKER, markdown
from git_lepton.evidence.gates import Gate
from git_lepton.evidence.judgement import Outcome, Verdict
from git_lepton.workflow.evaluation.report import ModelReport, Report
from tests.workflow.evaluation.judged_repository import JudgedRepository, answering


def test_a_report_of_a_better_version_and_of_a_worse_one(judged: JudgedRepository) -> None:
    judged.model(answering(300))
    judged.lepton("gate")
    judged.commit("first")
    first = judged.git("rev-parse", "HEAD").strip()
    judged.model(answering(380))
    judged.commit("second")
    text = judged.lepton("report", f"{first}..HEAD").out
    assert text.splitlines()[:2] == [MARKER, "## ❌ Evidence is missing"]
    assert judged.lepton("gate", f"{first}..HEAD").code == 0
    text = judged.lepton("report", f"{first}..HEAD").out
    assert text.splitlines()[1] == "## ✅ All gates pass"
    assert "| marks.accuracy | 0.75 | 0.95 | +0.2 |" in text
    assert "Tensors: 1 changed, 3 as before." in text
    found = json.loads(judged.lepton("report", f"{first}..HEAD", "--format", "json").out)
    assert found["outcome"] == "pass"
    (model,) = found["models"]
    assert model["tensors"]["changed"] == 1 and model["metrics"][0]["before"] == 0.75
    assert model["metrics"][0]["low"] > 0.1
    judged.model(answering(100))
    judged.commit("third")
    judged.lepton("gate", "HEAD~1..HEAD")
    text = judged.lepton("report", "HEAD~1..HEAD").out
    assert text.splitlines()[1] == "## ❌ A gate fails"
    assert "**❌ fail**" in text
    judged.git("rm", "--quiet", "-r", "model")
    judged.commit("gone")
    assert "has no files of the model any more" in judged.lepton("report", "HEAD~1..HEAD").out
    judged.commit("nothing")
    assert "No model changed" in judged.lepton("report", "HEAD~1..HEAD").out
    assert judged.runs == 3  # a report runs nothing


def test_a_report_of_five_hundred_models_is_no_longer_than_a_comment_may_be() -> None:
    gate = Gate("e", "m", True, ("x",))

    def model(number: int) -> ModelReport:
        outcome = Outcome.FAIL if number == 499 else Outcome.PASS
        verdict = Verdict(gate, f"m{number}", outcome, outcome is Outcome.FAIL, "a sentence about it " * 10)
        return ModelReport(f"m{number}", "a" * 64, None, True, (verdict,), (), None, 10, None, None)

    report = Report("b" * 40, "c" * 40, tuple(model(number) for number in range(500)), 5.0)
    text = markdown(report, 65_000)
    assert len(text) <= 65_000
    assert text.index("### m499") < text.index("### m0")
    assert "more models; `git lepton report` shows them" in text
    assert text.endswith("by chance.</sub>\n")


def test_text_of_others_does_nothing_to_the_table() -> None:
    hostile = "x | y](http://h) <img src=x> @everyone `code`\n# head"
    verdict = Verdict(Gate("e", "m", True, ("x",)), hostile, Outcome.FAIL, True, hostile)
    model = ModelReport(hostile, "a" * 64, None, True, (verdict,), (), None, 10, None, None)
    text = markdown(Report("", "c" * 40, (model,), 0.0), 65_000)
    assert "<img" not in text and "@everyone" not in text and "\n# head" not in text
    (row,) = [line for line in text.splitlines() if line.startswith("| e.m")]
    assert row.replace("\\|", "").count("|") == 4
