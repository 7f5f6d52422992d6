"""The folder that Python is told to look for a sitecustomize in first."""
