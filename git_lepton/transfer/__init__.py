"""Moving chunks between the local store and a server."""
