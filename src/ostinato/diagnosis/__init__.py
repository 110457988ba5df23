"""How far back a model, its gradient and its data reach."""
