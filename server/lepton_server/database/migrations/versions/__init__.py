"""One file for each step. Each says which programs may still run on what it leaves."""
