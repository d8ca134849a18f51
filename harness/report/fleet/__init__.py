"""The report of a fleet: one page, Markdown, JSON, and tables for a terminal."""
