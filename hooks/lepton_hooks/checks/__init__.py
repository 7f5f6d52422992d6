"""Checks of models before their version lands, a module each."""
