"""The built-in plugins, written as a stranger would write them: each imports only the public names of `harness`."""
