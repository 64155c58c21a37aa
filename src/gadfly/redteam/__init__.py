"""Red teaming: attackers, focuses, the questioning game, diversity and triage."""
