"""Ray Serve with batching."""

from __future__ import annotations

from bench.peers.serving import served

SYSTEMS = [
    served("ray", "Ray Serve, batching", "features", lambda port: ["server.py", str(port)], peer="ray")
]
