"""The page where people judge, and what is kept of it."""
