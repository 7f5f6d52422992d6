"""`python -m git_lepton` is `git-lepton`."""

from __future__ import annotations

from git_lepton.entry.program import main

if __name__ == "__main__":
    raise SystemExit(main())
