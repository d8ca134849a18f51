"""How it is measured: child processes, calibration, parity and pairing."""
