"""One client on one WebSocket: its frames, what it trades, what it reads."""
