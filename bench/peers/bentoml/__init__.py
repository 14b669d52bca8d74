"""BentoML, one call a request and with its adaptive batching."""

from __future__ import annotations

from bench import place
from bench.peers.serving import served

HOME = {"BENTOML_HOME": str(place.PLACE / "bentoml" / "home")}


def _command(service: str, port: int) -> list[str]:
    return ["-m", "bentoml", "serve", f"service:{service}", "--host", "127.0.0.1", "--port", str(port)]


SYSTEMS = [
    served("bentoml", "BentoML", "features", lambda port: _command("OneByOne", port), peer="bentoml", **HOME),
    served(
        "bentoml-adaptive",
        "BentoML, adaptive batching",
        "rows",
        lambda port: _command("Adaptive", port),
        peer="bentoml",
        **HOME,
    ),
]
