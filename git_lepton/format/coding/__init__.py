"""How a chunk is encoded: planes, entropy coder, registry of codecs."""
