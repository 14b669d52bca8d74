"""A model called past MLflow's own check of its input, where that could change nothing.

`PyFuncModel.predict` compares every frame with the signature, column by column, and looks at the model's
metadata, at each call: some two milliseconds, a third of what a small model takes. For a frame of numbers
that `worker/model_input.py` has built the check is the identity (a property test over random signatures holds
the two to it). Everything else goes MLflow's way: text, times, tensors, parameters, models that are code.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

NUMBERS = frozenset({"double", "float", "integer", "long"})
PYTHON_MODEL = "mlflow.pyfunc.model"
"""The loader of models that are code, and may want MLflow's context."""


class DirectPyfunc:
    """What is used of a pyfunc, calling its implementation."""

    def __init__(self, predict: Callable[..., Any]) -> None:
        asked = inspect.signature(predict).parameters.get("params")
        # Not `**params`, which scikit-learn's pipelines pass on to every step.
        takes_params = asked is not None and asked.kind is not inspect.Parameter.VAR_KEYWORD
        self._call: Callable[[Any], Any] = partial(predict, params=None) if takes_params else predict

    def predict(self, data: Any) -> Any:
        """Predict for the rows of a frame of numbers."""
        return self._call(data)


def direct_where_safe(pyfunc: Any, inputs: Sequence[Mapping[str, Any]]) -> Any:
    """`pyfunc` itself, or the shorter way to it. `pyfunc` is a PyFuncModel, `inputs` its signature's."""
    signature, flavor = pyfunc.metadata.signature, pyfunc.metadata.flavors["python_function"]
    if (
        {spec.get("type") for spec in inputs} <= NUMBERS
        and all("name" in spec for spec in inputs)
        and signature.params is None
        and not pyfunc.metadata._is_signature_from_type_hint()  # noqa: SLF001  MLflow has no other word for it
        and not pyfunc.metadata._is_type_hint_from_example()  # noqa: SLF001
        and flavor["loader_module"] != PYTHON_MODEL
    ):
        return DirectPyfunc(getattr(pyfunc._model_impl, flavor.get("predict_fn", "predict")))  # noqa: SLF001
    return pyfunc
