"""Maintenance that proves the books before it reopens: statements, certificates, gates, rehearsal, windows."""
