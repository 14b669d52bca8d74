"""Queues and workers; health."""
