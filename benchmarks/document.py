"""Puts what a part has to say between its marks in a document, and leaves the rest as a person wrote it."""

from __future__ import annotations

from pathlib import Path


def fill(document: Path, name: str, text: str) -> None:
    """Replace what lies between `<!-- NAME -->` and `<!-- end of NAME -->`; without these marks a section that has them is appended."""
    start, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    words = document.read_text(encoding="utf-8") if document.exists() else "# Benchmarks\n"
    if start not in words:
        words += f"\n## {name}\n\n{start}\n{end}\n"
    before, _, rest = words.partition(start)
    _, _, after = rest.partition(end)
    document.write_text(f"{before}{start}\n{text}\n{end}{after}", encoding="utf-8")
