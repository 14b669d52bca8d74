"""LitServe with batching."""

from __future__ import annotations

from bench.peers.serving import served

SYSTEMS = [
    served(
        "litserve", "LitServe, batching", "features", lambda port: ["server.py", str(port)], peer="litserve"
    )
]
