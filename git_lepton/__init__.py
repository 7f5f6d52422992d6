"""Version control of AI models in git."""

__version__ = "0.1.0"
