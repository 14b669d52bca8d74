"""Compressed messages stay compressed: kombu would unpack one before anybody can look how large it gets.

Tandem sends none. A message that says it is compressed reads as one that cannot be decoded, its body as it came.
"""

from typing import NoReturn

from kombu import compression


def leave_compressed() -> None:
    """Take kombu's decompression away from this process; harmless when repeated."""
    for content_type in compression.encoders():
        encode, _ = compression.get_encoder(content_type)
        compression.register(encode, _refuse, content_type)


def _refuse(_body: object) -> NoReturn:
    raise ValueError("a compressed message")
