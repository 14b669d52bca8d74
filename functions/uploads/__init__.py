"""Large payloads; health."""
