"""The coding of a tensor as the difference to its base (docs/format.md)."""
