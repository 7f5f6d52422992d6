"""Bases of a new version: where they are looked for, and which is best."""
