"""A suite checked against the installed plugins, and spelled out."""
