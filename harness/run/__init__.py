"""One run, from plan to records."""
