"""The drill: a maintenance window on a fresh exchange, again and again, each time with another fault.

Faults are real: a build whose source was changed, a file that was damaged, a second process. The
product has no switch for any of them. `faults` is the catalogue, `run` goes through it.
"""
