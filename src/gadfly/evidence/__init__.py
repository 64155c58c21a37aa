"""Answers that show their evidence, and a model that declines."""
