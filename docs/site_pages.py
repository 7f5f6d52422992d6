"""The site's hook, named in mkdocs.yml: adds the pages that lie outside docs/, and holds that no page fetches from another host."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
OUTSIDE = ["CONTRIBUTING.md", "benchmarks/README.md"]
_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)")
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|link[^>]+rel="?(?:stylesheet|preload|icon)"?)\b[^>]*\b(?:src|href)="?(?:https?:)?//"""
)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages outside docs/, each at the path that it has in the repository."""
    for path in OUTSIDE:
        files.append(File.generated(config, path, content=(ROOT / path).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Page, **_: object) -> str:
    """Rewrite links, which are relative to places in the repository, to where the pages lie in the site."""
    path = page.file.src_uri
    folder = posixpath.dirname(path if path in OUTSIDE else f"docs/{path}")

    def in_site(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, link[1]))
        target = target.removeprefix("docs/")
        return f"]({posixpath.relpath(target, posixpath.dirname(path) or '.')}"

    return _LINK.sub(in_site, markdown)


def on_post_page(output: str, page: Page, **_: object) -> str:
    """Raises PluginError if a script, style or picture of the page would come from another host."""
    if fetched := _FETCHED.search(output):
        raise PluginError(f"{page.file.src_uri} fetches from elsewhere: {fetched[0]}")
    return output
