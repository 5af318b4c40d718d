"""Maintenance windows and certificates."""
