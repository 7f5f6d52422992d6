"""Layouts, which say where the tensors lie in a file: one reader for each file format."""
