"""What keeps the store small and whole beside a server that goes on serving. Not called from routes."""
