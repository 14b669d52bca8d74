"""The one fence around the code of models: what it raises, loading or predicting, becomes a ModelError."""

from collections.abc import Iterator
from contextlib import contextmanager

from tandem.backplane.errors import ModelError, TandemError


@contextmanager
def model_code() -> Iterator[None]:
    """Turn any exception of the model's own code into ModelError, without its text: that may repeat data."""
    try:
        yield
    except TandemError:
        raise
    except Exception as error:  # anything at all: it is not our code
        raise ModelError(f"The model raised {type(error).__name__}.") from error
