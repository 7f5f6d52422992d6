"""`python -m benchmarks.xet_upload STORE FILE...` uploads files to hf-xet's local store in the folder STORE."""

from __future__ import annotations

import importlib
import sys


def main() -> None:
    store, *files = sys.argv[1:]
    hf_xet = importlib.import_module("hf_xet")
    with hf_xet.XetSession().new_upload_commit(endpoint=f"local://{store}") as commit:
        for file in files:
            commit.start_upload_file(file)


if __name__ == "__main__":
    main()
