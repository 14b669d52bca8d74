"""What FastAPI cannot know of our routes by itself: bodies that are read strictly, and problem answers."""

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from tandem.schemas.problem import Problem

_REF = "#/components/schemas/{model}"

PROBLEM_SCHEMAS: dict[str, Any] = models_json_schema([(Problem, "serialization")], ref_template=_REF)[1][
    "$defs"
]

_PROBLEM = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}

PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "The request is at fault", "content": _PROBLEM},
    "5XX": {"description": "This service is at fault, or not available for now", "content": _PROBLEM},
}


def json_body(model: type[BaseModel], *texts: str) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body as `model`, which has no model inside it.

    `texts` are further media types, of which more than that they are text cannot be said here.
    """
    content: dict[str, Any] = {"application/json": {"schema": model.model_json_schema()}}
    content |= {media_type: {"schema": {"type": "string"}} for media_type in texts}
    return {"requestBody": {"required": True, "content": content}}
