"""The venue's own life: founding, starts, faults, lost records."""
