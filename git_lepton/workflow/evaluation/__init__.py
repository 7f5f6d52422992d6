"""Evaluation: runs the evaluations of a lepton.toml on versions of models, keeps what they found as evidence, and judges gates by it."""
