"""What measures. Each module prints a table and writes JSON; RESULTS.md holds the figures with their commands."""
