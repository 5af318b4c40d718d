"""What is pushed to whoever watches: books, trades, candles, private updates."""
