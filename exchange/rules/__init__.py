"""Pure calculations: modes, validity, fees, limits, rule versions. Values in, values out; no state."""
