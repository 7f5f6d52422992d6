"""HTTP: connection, credentials, retries, and refusals turned into errors."""
