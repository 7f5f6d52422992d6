"""`git lepton quickstart`: the whole story on one machine, with a real model on real data."""
