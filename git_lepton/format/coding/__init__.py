"""Coding of chunks: planes, entropy coder, registry of codecs."""
