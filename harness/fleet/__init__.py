"""Runs on other machines: what travels there, what is compared, what is done there, and what comes home."""
