"""Support Copilot: a self-hosted AI copilot and issue desk for support teams."""

__version__ = "0.1.0"
