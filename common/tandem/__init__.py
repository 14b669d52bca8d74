"""The meeting place of the edge and the model host: what travels, and how it travels."""
