"""Uploads, from the session to the verified pack."""
