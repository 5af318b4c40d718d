"""The venue's own life."""
