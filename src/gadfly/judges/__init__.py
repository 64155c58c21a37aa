"""Judges: what turns transcripts into judgements."""
