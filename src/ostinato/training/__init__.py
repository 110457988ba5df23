"""How the models of the ladder are built, trained, checkpointed and searched."""
