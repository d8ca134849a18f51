"""A register: a folder of runs from many machines, each of which can be derived again from its raw seconds."""
