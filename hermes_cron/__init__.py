"""Reference cron providers for Hermes Agent and the host that they run in."""

__version__ = "0.1.0"
