"""Maintenance windows and their evidence."""
