from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS_OF_FRESH_BUFFERS = """
import resource
{call}
def touch():
    for _ in range(50):
        bytearray(4 << 20)
touch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
touch()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
CALL = "from git_lepton.format.coding.memory import reuse_freed_memory; reuse_freed_memory()"


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives freed blocks back at once")
def test_a_buffer_that_was_freed_is_used_again_without_a_page_fault() -> None:
    result = subprocess.run([sys.executable, "-c", FAULTS_OF_FRESH_BUFFERS.format(call=CALL)], capture_output=True, check=True)
    assert int(result.stdout) < 1024  # the pages of one buffer; without the call there may be those of fifty
