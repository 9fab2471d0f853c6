"""The API against its own specification: schemathesis asks what it allows, and what it does not."""

from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from search_service.app import create_app
from search_service.engine import SearchEngine

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
_REQUESTS = 25  # to each route in each mode

thorough = settings(
    max_examples=_REQUESTS,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def whole_responses(application: "WSGIApplication") -> "WSGIApplication":
    """The same, reading each response to its end, so that the file behind it is closed."""

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
        response = application(environ, start_response)
        try:
            return list(response)
        finally:
            getattr(response, "close", lambda: None)()

    return answer


def ask_all_kinds(operation: APIOperation[Any, Any, Any, Any], mode: GenerationMode) -> None:
    @thorough
    @given(operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        case.call_and_validate(checks=_CHECKS)

    ask()


@pytest.mark.parametrize("mode", GenerationMode)
def test_no_request_ends_in_a_server_error_and_every_answer_is_as_specified(
    trained_engine: SearchEngine, mode: GenerationMode
) -> None:
    app = create_app(trained_engine)
    app.wsgi_app = whole_responses(app.wsgi_app)  # type: ignore[method-assign, assignment]
    specification = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    operations = [found.ok() for found in specification.get_all_operations() if isinstance(found, Ok)]

    for operation in operations:
        takes_something = operation.body or operation.query or operation.path_parameters
        if mode is GenerationMode.POSITIVE or takes_something:
            ask_all_kinds(operation, mode)

    assert len(operations) == len(specification)


def test_every_route_of_the_api_is_in_the_specification(client: FlaskClient) -> None:
    paths = client.get("/api/v1/openapi.json").get_json()["paths"]

    routes = {rule.rule for rule in client.application.url_map.iter_rules() if rule.rule.startswith("/api/v1/")}
    assert {route.replace("<int:", "{").replace(">", "}") for route in routes} == (
        {path for path in paths if path.startswith("/api/")} | {"/api/v1/openapi.json"}
    )


@pytest.mark.parametrize(
    ("path", "allowed"), [("/api/v1/search", {"POST", "OPTIONS"}), ("/healthz", {"GET", "HEAD", "OPTIONS"})]
)
def test_a_method_that_is_not_there_is_answered_with_those_that_are(
    client: FlaskClient, path: str, allowed: set[str]
) -> None:
    response = client.open(path, method="TRACE")

    assert response.status_code == 405
    assert response.is_json
    assert set(response.headers["Allow"].split(", ")) == allowed
