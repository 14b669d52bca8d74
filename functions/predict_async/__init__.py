"""Accept one prediction and answer at once."""
