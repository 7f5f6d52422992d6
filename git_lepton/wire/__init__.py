"""The wire protocol that client and server both speak, specified in docs/wire-protocol.md."""
