"""The server's HTTP interface, one file for each part of docs/wire-protocol.md."""
