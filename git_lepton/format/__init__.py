"""The bytes on disk and on the wire: pure, bytes in and values out. Specified in docs/format.md."""
