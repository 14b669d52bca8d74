"""Wait for one prediction; matches and the served model."""
