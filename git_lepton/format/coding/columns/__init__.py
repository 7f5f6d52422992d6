"""The coding of numbers in columns (docs/format.md)."""
