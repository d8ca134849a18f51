"""What people read: tables, pages and plots, rendered from a summary."""
