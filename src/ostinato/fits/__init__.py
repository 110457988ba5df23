"""The parts that both fits share: the budget, the options, the threads, the record and the result."""
