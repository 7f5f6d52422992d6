"""git lepton eval and gate: what is run, on which files, and what gates say of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.workflow.evaluation.judged_repository import ITEMS, MARK, TOML, JudgedRepository, answering


def landed(judged: JudgedRepository, right: int = 300) -> None:
    """A first version on main, evaluated, and a branch that grows from it."""
    judged.model(answering(right))
    assert judged.lepton("gate").code == 0
    judged.commit("first")
    judged.git("switch", "--quiet", "--create", "tune")


def test_a_better_version_passes_a_worse_one_fails_and_one_within_the_noise_is_told(judged: JudgedRepository) -> None:
    landed(judged)
    judged.model(answering(380))
    told = judged.lepton("gate")
    assert (told.code, told.out.split()[0]) == (0, "pass")
    assert "accuracy rose from 0.75 to 0.95" in told.out
    judged.model(answering(240))
    told = judged.lepton("gate")
    assert (told.code, told.out.split()[0]) == (1, "FAIL")
    assert "worse than allowed" in told.out
    judged.model(answering(300, start=4))  # 4 gained, 4 lost: 2 % of the pairs disagree
    told = judged.lepton("gate")
    assert (told.code, told.out.split()[0]) == (0, "open" if "open" in told.out else "pass")
    judged.model(answering(300, start=40))  # 10 % gained, 10 % lost
    told = judged.lepton("gate")
    assert (told.code, told.out.split()[0]) == (0, "open")
    assert "too close to tell; about" in told.out
    judged.write("lepton.toml", TOML + 'on_inconclusive = "fail"\n')
    judged.git("add", "lepton.toml")
    told = judged.lepton("gate")
    assert (told.code, told.out.split()[0]) == (3, "OPEN")
    judged.model(answering(160))
    assert "is below the minimum of 0.5" in judged.lepton("gate").out


def test_nothing_runs_twice_and_evidence_outlives_rebase_squash_and_resharding(judged: JudgedRepository) -> None:
    landed(judged)
    judged.model(answering(380))
    judged.commit("second")
    assert judged.lepton("gate").code == 0
    assert judged.runs == 2
    judged.git("commit", "--quiet", "--amend", "--message", "another word")
    judged.model(answering(380), parts=3)
    judged.write("model/model.safetensors.index.json", "{}")
    judged.git("add", "--all")
    judged.commit("in shards")
    judged.git("reset", "--quiet", "--soft", "main")
    judged.commit("squashed")
    told = judged.lepton("gate", "main..HEAD")
    assert (told.code, "0.95" in told.out) == (0, True)
    assert "there is evidence already" in judged.lepton("eval").err
    assert judged.runs == 2
    judged.write("model/tokenizer.json", "{}")
    judged.git("add", "--all")
    assert judged.lepton("gate").code == 0
    assert judged.runs == 3  # what the model consists of has changed
    judged.write("right.txt", " ".join("1" * ITEMS) + "\n")
    judged.git("add", "--all")
    told = judged.lepton("gate", "--no-run")
    assert (told.code, told.out.split()[0]) == (4, "MISSING")
    assert "git lepton eval classifier" in told.out
    assert judged.lepton("gate").code == 0
    assert judged.runs == 5  # candidate and baseline, by the new test set


def test_exactly_the_staged_files_are_evaluated(judged: JudgedRepository) -> None:
    judged.model(answering(380))
    (judged.sandbox.folder / "model" / "model.safetensors").write_bytes(b"something else altogether")
    (judged.sandbox.folder / "model" / "untracked.safetensors").write_bytes(b"no")
    told = judged.lepton("eval", "--json")
    assert json.loads(told.out)[0]["metrics"] == {"accuracy": 0.95}
    assert not list((judged.sandbox.folder / ".git" / "lepton" / "staging").iterdir())
    assert (judged.sandbox.folder / "model" / "model.safetensors").read_bytes() == b"something else altogether"


def test_inputs_must_be_what_is_staged(judged: JudgedRepository) -> None:
    judged.model(answering(380))
    judged.write("right.txt", "0")
    told = judged.lepton("eval")
    assert (told.code, "right.txt of [eval.marks] in the work tree" in told.err) == (2, True)
    assert judged.runs == 0
    judged.git("rm", "--quiet", "--force", "--cached", "right.txt")
    told = judged.lepton("eval")
    assert (told.code, "matches no file that git has" in told.err) == (2, True)


def test_files_that_are_opened_and_not_declared_are_told(judged: JudgedRepository) -> None:
    judged.write("lepton.toml", TOML.replace('"mark.py", "right.txt"', '"mark.py"'))
    judged.model(answering(380))
    assert "goes unnoticed: right.txt" in judged.lepton("eval").err


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise SystemExit('no such layer')", "failed with exit code 1"),
        ("pass", "wrote no result"),
        ("print('{}')", "no metrics"),
        ("print('{\"accuracy\": NaN}')", "not finite"),
        ("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
        ("open(sys.argv[2], 'wb').truncate(1 << 30)", "more than 8 MiB"),
        ("print('{\"loss\": 1}')", "told no accuracy of classifier; it told loss"),
    ],
)
def test_an_evaluation_that_fails_or_lies_is_never_a_pass(judged: JudgedRepository, body: str, told: str) -> None:
    judged.write("mark.py", f"import sys\n{body}\n")
    judged.model(answering(380))
    found = judged.lepton("gate")
    assert (found.code, told in found.out + found.err) == (4, True)
    assert not list((judged.sandbox.folder / ".git" / "lepton" / "staging").iterdir())


def test_all_runs_count_so_that_a_lucky_one_replaces_no_other(judged: JudgedRepository) -> None:
    judged.write(
        "mark.py", "import pathlib, sys\nn = int(pathlib.Path('luck').read_text())\nprint('{\"accuracy\": %s}' % (n / 10))\n"
    )
    judged.write("luck", "4")
    judged.write(".gitignore", "luck\n")
    judged.model(answering(380))
    assert judged.lepton("gate").code == 1
    judged.write("luck", "10")
    assert judged.lepton("gate").code == 1
    assert judged.lepton("eval", "--force").code == 0
    told = judged.lepton("gate")
    assert (told.code, "0.7 keeps to the minimum" in told.out) == (0, True)  # the mean of both


def test_a_budget_holds_against_the_last_release_too(judged: JudgedRepository) -> None:
    landed(judged, 380)
    judged.git("tag", "v1")
    right = 380
    for step in range(6):
        right -= 7  # each step is inside the noise of the step before
        judged.model(answering(right))
        told = judged.lepton("gate")
        if told.code:
            break
        judged.commit(f"step {step}")
        judged.git("branch", "--force", "main")
    assert (told.code, right) == (3, 359)  # outside of the budget, though not surely
    assert "fell from 0.95 to 0.8975" in told.out


def test_bisect_finds_the_version_that_broke_the_metric(judged: JudgedRepository) -> None:
    judged.model(answering(380))
    judged.commit("good")
    good = judged.git("rev-parse", "HEAD").strip()
    for step, right in enumerate((378, 376, 300, 298, 296)):
        judged.model(answering(right))
        judged.commit(f"step {step}")
    judged.git("bisect", "start", "HEAD", good)
    judged.write("judge.sh", f'exec "{_python()}" -m git_lepton gate\n')
    said = judged.git("bisect", "run", "sh", "judge.sh")
    assert "step 2" in said.partition("is the first bad commit")[2]


def test_doctor_says_when_a_budget_is_finer_than_the_data(judged: JudgedRepository) -> None:
    landed(judged)
    told = judged.lepton("gate", "doctor")
    assert (told.code, "finer than 400 items can tell" in told.out) == (1, True)
    assert "by chance" in told.err
    judged.write("lepton.toml", TOML.replace("0.02", "0.2"))
    judged.git("add", "--all")
    assert judged.lepton("gate", "doctor").code == 0


def test_built_in_metrics_need_no_command(judged: JudgedRepository) -> None:
    judged.write(
        "lepton.toml", '[model.m]\nfiles = ["model"]\n[gate.model.size_bytes]\nmax = 100\n[gate.model.parameters]\nmin = 400\n'
    )
    judged.model(answering(380))
    told = judged.lepton("gate")
    assert told.code == 1
    assert "is above the maximum of 100" in told.out
    assert "400 keeps to the minimum of 400" in told.out


def test_an_adapter_gets_its_base_and_another_base_is_another_version(judged: JudgedRepository) -> None:
    judged.model(answering(300))
    judged.commit("base")
    judged.git("tag", "v1")
    judged.write(
        "lepton.toml",
        '[model.lora]\nfiles = ["lora/*"]\nbase = "v1:model"\n[eval.e]\ncommand = "python3 e.py {model} {base} {result}"\n'
        'inputs = ["e.py"]\n',
    )
    judged.write("lora/adapter_config.json", "{}")
    judged.write(
        "e.py",
        "import os, sys\nassert os.path.getsize(sys.argv[1]) and os.path.getsize(sys.argv[2])\n"
        "open(sys.argv[3], 'w').write('{\"ok\": 1}')\n",
    )
    judged.git("add", "--all")
    first = json.loads(judged.lepton("eval", "--json").out)[0]
    assert first["metrics"] == {"ok": 1}
    judged.model(answering(310))
    judged.commit("another base")
    judged.git("tag", "--force", "v1")
    second = json.loads(judged.lepton("eval", "--json").out)[0]
    assert first["digest"] != second["digest"]
    judged.git("tag", "--delete", "v1")
    told = judged.lepton("eval")
    assert (told.code, "v1" in told.err) == (2, True)


def test_commands_of_a_bare_repository_or_without_evaluations_say_so(judged: JudgedRepository, tmp_path: Path) -> None:
    judged.write("lepton.toml", "")
    judged.git("add", "--all")
    assert "has no evaluation" in judged.lepton("eval").err
    assert judged.lepton("gate").code == 0
    judged.write("lepton.toml", TOML)
    judged.git("add", "--all")
    assert "has no model nothing" in judged.lepton("eval", "nothing").err


def _python() -> str:
    import sys

    return sys.executable


def test_evidence_from_another_machine_is_made_again_here(judged: JudgedRepository) -> None:
    judged.write("mark.py", MARK.replace('"items"', '"environment": {"device": pathlib.Path("device").read_text()}, "items"'))
    judged.write(".gitignore", "runs.log\ndevice\n")
    judged.write("device", "cuda")
    landed(judged)
    judged.write("device", "cpu")
    judged.model(answering(380))
    told = judged.lepton("gate", "--no-run")
    assert told.code == 4
    assert judged.lepton("eval").code == 0
    told = judged.lepton("gate", "--no-run")
    assert (told.code, "another environment only" in told.out) == (4, True)
    assert judged.lepton("gate").code == 0
    assert judged.runs == 3
