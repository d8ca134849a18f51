"""Two runs, and many, compared."""
