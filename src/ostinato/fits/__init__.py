"""The parts that the ladder's fit and the direct fit share: the budget, the options, the threads, the record and the result."""
