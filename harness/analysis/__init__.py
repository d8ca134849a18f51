"""What the records say: pure functions from data to data."""
