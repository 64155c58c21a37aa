"""Running games wide and deep, and keeping what came out."""
