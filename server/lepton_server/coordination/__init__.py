"""Coordination of several processes and hosts: locks, presence, runs of maintenance."""
