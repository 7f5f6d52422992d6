"""Files that a Python evaluation opens without having declared them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from git_lepton.workflow.evaluation.opened_files import undeclared, watched


def test_what_python_opens_below_the_top_is_known_and_another_sitecustomize_still_runs(tmp_path: Path) -> None:
    top, into, other = tmp_path / "top", tmp_path / "opened", tmp_path / "other"
    (top / "src" / "__pycache__").mkdir(parents=True)
    other.mkdir()
    (other / "sitecustomize.py").write_text("import builtins; builtins.others = 1")
    (top / "src" / "metrics.py").write_text(
        "from pathlib import Path; Path('data.txt').read_text(); Path('out.txt').write_text('x')"
    )
    (top / "evaluate.py").write_text(
        "import builtins; assert builtins.others == 1; import src.metrics; open('/dev/null').close()"
    )
    (top / "data.txt").write_text("x")
    environment = watched({**os.environ, "PYTHONPATH": str(other)}, top, into)
    done = subprocess.run([sys.executable, "evaluate.py"], cwd=top, env=environment, check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert undeclared(into, top, ["evaluate.py"], []) == ["data.txt", "src/metrics.py"]
    assert undeclared(into, top, ["evaluate.py"], ["src/*", "*.txt"]) == []
    assert undeclared(tmp_path / "absent", top, [], []) == []
