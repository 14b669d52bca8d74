"""Announcing a payload over the inline limit, and where it then goes (docs/02-the-contract.md)."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class UploadRequest(BaseModel):
    """What is to be uploaded, exactly: the address that is given for it takes nothing else."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    content_length: Annotated[int, Field(ge=1, lt=2**53)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Of the content, in lower-case hex, as `sha256sum` prints it."""
    content_type: Literal["application/json", "application/x-ndjson", "text/csv"] = "application/json"


class UploadAnswer(BaseModel):
    """Where to send it, until `expires_at`: with this method, to this URL, under all of these headers."""

    upload_id: str
    url: str
    method: Literal["PUT"] = "PUT"
    headers: dict[str, str]
    expires_at: str
    max_bytes: int
    """What one upload may have at most."""
