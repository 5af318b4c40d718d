"""What things are: ids, numbers, specs, enums, commands, events, refusals, the record, views.

This package holds no behaviour beyond conversion between a value's forms, and imports nothing
of ours. Everything else in the exchange speaks in these words.
"""
