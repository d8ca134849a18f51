"""Which contender to use, and why."""
