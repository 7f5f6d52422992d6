"""Notes which files below a folder this Python opens for reading; then does what another sitecustomize would have done.

Runs in the evaluation's own Python, whatever version that is: nothing but the standard library.
"""

import importlib.machinery
import importlib.util
import os
import sys


def _watch(into: str, below: str) -> None:
    seen = set()

    def opened(event: str, arguments: tuple) -> None:  # type: ignore[type-arg]
        if event != "open" or not isinstance(arguments[0], (str, bytes)):
            return
        path = arguments[0]
        if path in seen or (isinstance(arguments[1], str) and arguments[1][:1] in "wax"):
            return
        seen.add(path)
        try:
            real = os.path.realpath(os.fsdecode(path))
            if real.startswith(below + os.sep):
                descriptor = os.open(into, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
                try:
                    os.write(descriptor, os.fsencode(real) + b"\0")
                finally:
                    os.close(descriptor)
        except Exception:  # an evaluation is not to fail for that
            return

    sys.addaudithook(opened)


def _go_on() -> None:
    """Let the sitecustomize that this one stands before run."""
    here = os.path.realpath(os.path.dirname(__file__))  # noqa: PTH120 - pathlib would take longer to load than all this
    sys.path[:] = [path for path in sys.path if os.path.realpath(path or ".") != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


if os.environ.get("GIT_LEPTON_OPENED_FILES"):
    _watch(os.environ["GIT_LEPTON_OPENED_FILES"], os.environ.get("GIT_LEPTON_OPENED_BELOW", os.sep))
_go_on()
