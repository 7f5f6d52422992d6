"""The storage server of git-lepton."""
