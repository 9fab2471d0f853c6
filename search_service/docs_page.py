"""The page that documents the API, made from its specification; it needs no script, and nothing from elsewhere."""

from dataclasses import dataclass
from typing import Any

from flask import Blueprint, current_app, render_template, request

from search_service.query_reader import load_flat
from search_service.request_schemas import RequestSchema

docs = Blueprint("docs", __name__)

Spec = dict[str, Any]

_KINDS = {"application/json": "JSON", "multipart/form-data": "Form"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One route and method.

    Attributes:
        anchor: its place on the page.
        method: in capitals.
        path: with its parameters in braces.
        summary: what it does.
        parameters: (name, kind, description, whether it is required), of path and address.
        bodies: (kind of body, its fields, each with name, kind and description).
        answers: names of the schemas of good answers, or their content types.
        samples: (language, source).
    """

    anchor: str
    method: str
    path: str
    summary: str
    parameters: list[tuple[str, str, str, bool]]
    bodies: list[tuple[str, list[tuple[str, str, str]]]]
    answers: list[str]
    samples: list[tuple[str, str]]


@docs.get("/api/docs")
def docs_page() -> str:
    """All routes with what they take, what they answer, and examples."""
    load_flat(RequestSchema(), request.args)
    spec: Spec = current_app.extensions["specification"].addressed()
    schemas = spec["components"]["schemas"]
    operations = [
        _operation(path, method, told, schemas)
        for path, methods in spec["paths"].items()
        for method, told in methods.items()
        if method in ("get", "post")
    ]
    used = _reached(schemas, {name for one in operations for name in one.answers} | {"Error"})
    answers = {name: fields(schemas[name]) for name in schemas if name in used}
    return render_template("docs.html", operations=operations, schemas=answers)


def fields(schema: Spec) -> list[tuple[str, str, str]]:
    """(name, kind, description) of each field."""
    return [
        (name, kind(field), field.get("description", "")) for name, field in schema.get("properties", {}).items()
    ]


def kind(schema: Spec) -> str:
    """A schema in a few words."""
    if "$ref" in schema or "allOf" in schema:
        return _name(schema if "$ref" in schema else schema["allOf"][0])
    if schema.get("type") == "array":
        return f"list of {kind(schema.get('items', {}))}"
    words = (
        " or ".join(map(str, schema["enum"])) if "enum" in schema else schema.get("format") or schema.get("type")
    )
    limits = [str(schema[name]) for name in ("minimum", "maximum") if name in schema]
    bounds = f" {' to '.join(limits)}" if len(limits) == 2 else f" from {limits[0]}" if limits else ""  # noqa: PLR2004
    default = f", default {str(schema['default']).lower()}" if "default" in schema else ""
    return f"{words or 'any'}{bounds}{default}"


def _operation(path: str, method: str, told: Spec, schemas: Spec) -> Operation:
    bodies = told.get("requestBody", {}).get("content", {})
    return Operation(
        anchor=f"{method}{path}".replace("/", "-").strip("{}"),
        method=method.upper(),
        path=path,
        summary=told.get("summary", ""),
        parameters=[
            (one["name"], kind(one["schema"]), one.get("description", ""), one.get("required", False))
            for one in told.get("parameters", [])
        ],
        bodies=[(_KINDS[name], fields(schemas[_name(body["schema"])])) for name, body in bodies.items()],
        answers=[
            answer for status, one in told["responses"].items() if status == "200" for answer in _answers(one)
        ],
        samples=[(one["lang"], one["source"]) for one in told.get("x-codeSamples", [])],
    )


def _answers(response: Spec) -> list[str]:
    return [
        _name(body["schema"]) if "$ref" in body["schema"] else content_type
        for content_type, body in response.get("content", {}).items()
    ]


def _name(reference: Spec) -> str:
    return str(reference["$ref"]).rsplit("/", 1)[-1]


def _reached(schemas: Spec, names: set[str]) -> set[str]:
    """Names of schemas, with those that these are made of."""
    reached: set[str] = set()
    waiting = [name for name in names if name in schemas]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [part for part in schemas if f"/{part}'" in str(schemas[name])]
    return reached
