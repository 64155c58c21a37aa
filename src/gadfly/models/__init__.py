"""Reaching models: any Inspect provider, the local engine, weights, serving."""
