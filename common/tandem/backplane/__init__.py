"""How it travels: one adapter per file."""
