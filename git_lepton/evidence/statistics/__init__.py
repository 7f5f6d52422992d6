"""Statistics of two versions that were judged on the same items: one-sided bounds of the difference of their means.

All bounds are one-sided, each at `alpha`: the difference lies below `low` with a probability of at most `alpha`, and above `high`
likewise. None of them ever has no width (docs/evaluation.md, section 6).
"""
