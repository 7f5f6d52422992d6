"""The process of an evaluation, however it behaves: nothing of it is left, and the verdict is ours."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from git_lepton.workflow.evaluation.process import RESULT_VARIABLE, EvaluationFailed, run


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, RESULT_VARIABLE: str(folder / "result.json")}


def python(folder: Path, code: str, timeout: float = 60.0, **options):  # type: ignore[no-untyped-def]
    return run([sys.executable, "-c", code], folder, environment(folder), timeout, **options)


def is_gone(process: int) -> bool:
    for _ in range(500):
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False


def test_the_end_of_its_output_is_kept(tmp_path: Path) -> None:
    heard: list[float] = []
    ended = python(tmp_path, "import time; print('x' * 10**6); time.sleep(0.3); print('last')", tick=heard.append)
    assert ended.output.endswith(b"last\n") and len(ended.output) <= 256 * 1024
    assert heard and ended.seconds > 0.2


def test_a_failure_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(EvaluationFailed, match="exit code 3") as caught:
        python(tmp_path, "import sys; print('no such layer'); sys.exit(3)")
    assert "no such layer" in caught.value.hint
    with pytest.raises(EvaluationFailed, match="SIGKILL"):
        python(tmp_path, "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(EvaluationFailed, match="cannot be started"):
        run([str(tmp_path / "absent")], tmp_path, environment(tmp_path), 1.0)


STUBBORN = """
import os, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"],
                         start_new_session=True)
open("pids", "w").write(f"{os.getpid()} {child.pid}")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what environment a process has")
@pytest.mark.parametrize("then", ["", "time.sleep(600)"])
def test_nothing_of_it_is_left_though_it_hides_and_holds_the_pipe_open(tmp_path: Path, then: str) -> None:
    if then:
        with pytest.raises(EvaluationFailed, match=r"was ended after 1\.5 s"):
            python(tmp_path, STUBBORN + then, timeout=1.5)
    else:
        python(tmp_path, STUBBORN)
    assert all(is_gone(int(process)) for process in (tmp_path / "pids").read_text().split())


@pytest.mark.parametrize(("sent", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_an_interrupt_and_a_request_to_end_end_it(tmp_path: Path, sent: signal.Signals, raised: type[BaseException]) -> None:
    def interrupt() -> None:
        while not (tmp_path / "pids").exists():
            time.sleep(0.01)
        time.sleep(0.1)
        signal.pthread_kill(threading.main_thread().ident or 0, sent)

    thread = threading.Thread(target=interrupt)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread.start()
    try:
        with pytest.raises(raised):
            python(tmp_path, "import os, time; open('pids', 'w').write(str(os.getpid())); time.sleep(600)")
    finally:
        signal.signal(signal.SIGINT, before)
        thread.join()
    assert is_gone(int((tmp_path / "pids").read_text()))
