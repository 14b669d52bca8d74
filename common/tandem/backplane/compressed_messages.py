"""Compressed messages stay compressed: kombu would unpack one before anybody can look how large it gets.

Tandem sends none. A message that says it is compressed reads as one that cannot be decoded, its body as it
came.
"""

from typing import Any, NoReturn

from kombu import compression


def leave_compressed() -> None:
    """Take kombu's decompression away from this process; harmless when repeated."""
    registry: Any = compression  # its stubs are wrong about `get_encoder`
    for content_type in registry.encoders():
        encode, _ = registry.get_encoder(content_type)
        registry.register(encode, _refuse, content_type)


def _refuse(_body: object) -> NoReturn:
    raise ValueError("a compressed message")
