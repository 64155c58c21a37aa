"""Training: any player, any game, any judge, with TRL and PEFT underneath."""

__all__: list[str] = []
