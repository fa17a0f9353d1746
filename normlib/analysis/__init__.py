"""Statistics, and what is computed from records; imports no framework."""
