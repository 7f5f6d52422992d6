"""Hosted git: bare repositories, the git program under its bounds, pushes and what is checked of them."""
