"""Versions of models, read out of git and the local store: never out of the work tree."""
