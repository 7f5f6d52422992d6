"""Where a repository keeps its encodings on this machine: packs under the common git directory."""
