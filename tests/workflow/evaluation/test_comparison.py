"""git lepton compare and best: versions side by side, the best one, and ties within the noise."""

from __future__ import annotations

import json

from tests.workflow.evaluation.judged_repository import JudgedRepository, answering


def test_versions_side_by_side_and_the_best_of_them(judged: JudgedRepository) -> None:
    for tag, right in (("one", 300), ("two", 380), ("three", 378)):
        judged.model(answering(right))
        assert judged.lepton("eval").code == 0
        judged.commit(tag)
        judged.git("tag", tag)
    judged.model(answering(100))
    judged.commit("unknown")
    told = judged.lepton("compare", "one", "two", "HEAD")
    assert told.out.splitlines()[0].split() == ["one", "two", "HEAD"]
    assert told.out.splitlines()[1].split() == ["classifier", "marks.accuracy", "0.75", "0.95", "-"]
    assert json.loads(judged.lepton("compare", "one", "--json").out)[0]["values"] == [0.75]
    found = json.loads(judged.lepton("best", "classifier", "--metric", "marks.accuracy", "--json").out)
    two, three = (judged.git("rev-parse", tag).strip() for tag in ("two", "three"))
    assert (found["best"]["commit"], [tie["commit"] for tie in found["ties"]], found["versions"]) == (two, [three], 3)
    told = judged.lepton("best", "classifier", "--metric", "accuracy")
    assert f"{three[:12]}  accuracy 0.945  a tie within the noise" in told.out
    assert judged.lepton("best", "classifier", "--metric", "accuracy", "--goal", "lower").out.split()[0] != two[:12]
    assert judged.lepton("best", "classifier", "--metric", "accuracy", "--max-size", "10").code == 4
    assert judged.lepton("best", "nothing", "--metric", "accuracy").code == 2
    assert judged.lepton("best", "classifier", "--metric", "f1").code == 4
