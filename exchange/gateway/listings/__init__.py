"""Assets, markets and what happens on them: for everybody."""
