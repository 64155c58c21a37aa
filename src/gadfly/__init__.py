"""gadfly: find out whether a language model can be trusted."""
