"""Attributes that .gitattributes files give to paths, by git's own rules (docs/format.md, section 1.1), for client and server."""
