"""Sizes and times beside the peers, in the same run: `python -m benchmarks` (docs/benchmarks.md)."""
