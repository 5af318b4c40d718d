"""What is open, and what it takes to open it."""
