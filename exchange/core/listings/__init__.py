"""Assets, markets and their terms."""
