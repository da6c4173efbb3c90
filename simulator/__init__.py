"""Deterministic simulation of cron providers."""
