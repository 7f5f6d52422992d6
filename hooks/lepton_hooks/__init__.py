"""Checks of a model before its version lands."""
