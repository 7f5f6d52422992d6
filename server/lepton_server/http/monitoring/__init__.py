"""Monitoring: gauges and readiness, for those who watch the server."""
