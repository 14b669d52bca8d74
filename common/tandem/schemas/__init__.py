"""What travels: pydantic models and pure checks, no I/O."""
