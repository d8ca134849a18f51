"""Locate the N at which one contender overtakes another: numpy and scipy only, no clock, no file, no process."""
