"""Set-up of a repository or a machine: install, track, login, trust, doctor."""
