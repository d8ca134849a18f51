"""What the command line and Python callers share: doctor, race, distill."""
