"""Administration of a data folder by its operator: accounts, repositories, backups, maintenance, usage."""
