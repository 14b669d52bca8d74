"""State and result of a task; health."""
