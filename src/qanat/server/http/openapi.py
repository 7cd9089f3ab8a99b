"""The agents' routes in the OpenAPI document: they are plain routes, so their schemas come from msgspec."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from qanat.server.http import agents, base_stations
from qanat.wire.agent import Problem

_PLACEHOLDER: Final = re.compile(r"{(\w+)}")
HOT: Final = [*agents.HOT, *base_stations.HOT]
DEVICE_ROUTES: Final = [agents.ENROLMENT, base_stations.ENROLMENT, *HOT]
_SIGNED: Final = [
    {"name": name, "in": "header", "required": True, "schema": {"type": "string"}, "description": description}
    for name, description in (
        ("Content-Digest", "sha-256 of the body (RFC 9530)."),
        ("Signature-Input", 'sig=("@method" "@path" "content-digest");created=…;nonce="…";keyid="…";alg="ed25519"'),
        ("Signature", "Ed25519 over the signature base (RFC 9421)."),
    )
]


def with_agent_routes(app: FastAPI) -> None:
    """Make ``app.openapi`` describe everything there is."""
    made: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not made:
            made.update(_document(app))
        return made

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes, openapi_version="3.1.0"
    )
    types = [kind for _, takes, gives, _ in DEVICE_ROUTES for kind in (takes, gives) if kind] + [Problem]
    _, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/Agent{name}")
    document["components"]["schemas"].update({f"Agent{name}": schema for name, schema in schemas.items()})
    document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    document["security"] = [{"token": []}]
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _describe_failures(operation)
            _name_path_parameters(path, operation)
    for route, takes, gives, status in DEVICE_ROUTES:
        for method in (route.methods or set()) - {"HEAD"}:
            operation = _operation(route.endpoint, takes, gives, status)
            document["paths"].setdefault(route.path, {})[method.lower()] = operation
    return document


def _operation(
    endpoint: Any, takes: type[msgspec.Struct] | None, gives: type[msgspec.Struct], status: int
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": ["agents"],
        "summary": endpoint.__name__.replace("_", " ").capitalize(),
        "description": endpoint.__doc__,
        "operationId": f"agent_{endpoint.__name__}",
        "parameters": _SIGNED,
        "security": [],
        "responses": {str(status): {"description": "Done.", "content": _content(gives)}},
    }
    if takes:
        operation["requestBody"] = {"required": True, "content": _content(takes)}
    _describe_failures(operation)
    return operation


def _name_path_parameters(path: str, operation: dict[str, Any]) -> None:
    """Add those that a dependency reads: the framework sees only what the endpoint itself takes."""
    given = operation.setdefault("parameters", [])
    known = {parameter["name"] for parameter in given if parameter["in"] == "path"}
    for name in _PLACEHOLDER.findall(path):
        if name not in known:
            given.append({"name": name, "in": "path", "required": True, "schema": {"type": "string"}})


def _describe_failures(operation: dict[str, Any]) -> None:
    schema = {"$ref": "#/components/schemas/AgentProblem"}
    failure = {"description": "Refused or failed.", "content": {"application/problem+json": {"schema": schema}}}
    operation["responses"].pop("422", None)
    operation["responses"]["default"] = failure


def _content(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/Agent{kind.__name__}"}}}
