"""What a server tells those who watch it: metrics, logs, and whether it is ready. Nothing in it is a secret."""
