"""Packs in an S3 bucket."""
