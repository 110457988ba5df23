"""The parts that both fits share: the budget, the options, the record and the result."""
