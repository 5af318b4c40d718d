"""An exchange that proves its books before it reopens."""

__version__ = "0.1.0"
