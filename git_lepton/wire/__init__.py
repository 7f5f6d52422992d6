"""What client and server both speak. Specified in docs/wire-protocol.md."""
