"""What runs of one suite on many machines say together: a crossover each, the spread between them, never an average of runs."""
