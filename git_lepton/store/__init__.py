"""The local store: a repository's encodings on this machine, in packs under the common git directory."""
