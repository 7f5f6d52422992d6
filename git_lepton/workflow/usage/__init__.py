"""Usage: what versions and tensors take."""
