"""The model host: the only place where a model is in memory."""
