"""The parts of the benchmarks: each measures (`measure`) and says what it saw (`report`), and can run alone."""
