"""MLServer's MLflow runtime over Open Inference Protocol v2, with adaptive batching."""

from __future__ import annotations

from bench.peers.serving import served

SYSTEMS = [
    served("mlserver", "MLServer v2, batching", "v2", lambda port: ["server.py", str(port)], peer="mlserver")
]
