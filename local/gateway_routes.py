"""What the gateway answers by itself: its metrics and the document of all functions' routes."""

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import HTMLResponse, JSONResponse, Response

from local import metrics
from tandem.backplane.http import create_app, route

TITLE = "Tandem"
API_KEY = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}


def api_document(apps: Sequence[FastAPI]) -> dict[str, Any]:
    """One OpenAPI document for the routes of all `apps`; of two that document the same, the first counts."""
    merged: dict[str, Any] = {"openapi": "3.1.0", "info": {"title": TITLE, "version": "1"}, "paths": {}}
    components: dict[str, dict[str, Any]] = {}
    for document in (app.openapi() for app in apps):
        merged["openapi"] = document["openapi"]
        for path, operations in document.get("paths", {}).items():
            known = merged["paths"].setdefault(path, {})
            known.update({method: shown for method, shown in operations.items() if method not in known})
        for kind, parts in document.get("components", {}).items():
            known = components.setdefault(kind, {})
            known.update({name: part for name, part in parts.items() if name not in known})
    components["securitySchemes"] = {"ApiKey": API_KEY}
    # Either: whether keys are asked for is the deployment's to say.
    return {**merged, "components": components, "security": [{}, {"ApiKey": []}]}


def gateway_app(apps: Sequence[FastAPI]) -> FastAPI:
    """The application with the gateway's own routes; `apps` are what it documents."""
    own = create_app(TITLE, "What is answered for all functions together.")

    @route(own, "GET", "/metrics", include_in_schema=False)
    async def get_metrics() -> Response:
        """Counts of this port, as Prometheus text."""
        return Response(await asyncio.to_thread(metrics.exposition), media_type=CONTENT_TYPE_LATEST)

    @route(own, "GET", "/openapi.json", include_in_schema=False)
    def get_document() -> Response:
        """All routes, as an OpenAPI document."""
        return JSONResponse(api_document(apps))

    @route(own, "GET", "/docs", include_in_schema=False)
    def get_page() -> HTMLResponse:
        """All routes, as a page to try them from."""
        return get_swagger_ui_html(openapi_url="/openapi.json", title=TITLE)

    return own
