"""Storage of packs: the interface, the disk, S3."""
