"""Child processes: the pipe, both of its ends, and signals."""
