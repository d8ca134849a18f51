"""What plugins offer, and how they are found, loaded and asked."""
