"""Models of one shop compared on windows of its past, and what their runs show of it."""
