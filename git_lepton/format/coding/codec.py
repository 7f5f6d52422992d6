"""Encodes and decodes chunks: the one door through which raw bytes become payloads and payloads raw bytes.

A wrong chunk cannot come out of here: `decode` checks the name of what it rebuilt.
"""
