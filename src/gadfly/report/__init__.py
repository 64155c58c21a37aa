"""One HTML file from runs and estimates."""
