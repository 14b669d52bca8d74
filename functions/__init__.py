"""The edge: one folder is one app is one deployable function."""
