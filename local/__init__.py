"""The same apps behind one port, and the commands that bring them up."""
