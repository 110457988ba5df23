"""The steps of a model in plain numbers, without the dispatch of torch."""
