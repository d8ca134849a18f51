"""What was published, beside what was measured."""
