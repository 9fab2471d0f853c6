"""The JSON API, version 1; its specification is made from these routes and their schemas."""

import io
from pathlib import PurePath
from typing import Any

from flask import Response, jsonify, request, send_file
from flask_smorest import Blueprint

from indexer.errors import LookalikeError
from indexer.images import MEDIA_TYPES
from indexer.records import IndexedImage
from search_service.admission import DEADLINE
from search_service.answer_schemas import (
    AnswerSchema,
    BatchAnswerSchema,
    ImageSchema,
    ListingSchema,
    LocalizationSchema,
    LocatedSchema,
    MapSchema,
    ReadySchema,
    SightSchema,
    problem,
)
from search_service.caching import cached, packed
from search_service.deadline import NEVER, Deadline
from search_service.engine import SearchEngine
from search_service.examples import samples
from search_service.image_addresses import find_image
from search_service.lending import lent, served
from search_service.map_data import PictureMap
from search_service.query_reader import load_flat, read_body, read_json
from search_service.rate_limits import count_further
from search_service.records import Answer, IndexedPicture, Query, Wishes
from search_service.request_schemas import (
    BatchSchema,
    FlatWishesSchema,
    ListSchema,
    PictureFormSchema,
    PictureSchema,
    SearchFormSchema,
    SearchSchema,
)
from search_service.served_request import tell_refused
from search_service.server_timing import HEADER, tell

MAX_BATCH_BYTES = 64 * 2**20
_JPEG = {"format": "binary", "type": "string"}

api = Blueprint("api", __name__, description="Search, localization, and the images of the collection.")


def engine() -> SearchEngine:
    """The engine that answers this request, the same from its beginning to its end.

    Raises:
        RequestError: nothing is served yet.
    """
    return lent().engine


def answer(query: Query, wishes: Wishes) -> Answer:
    """What the engine answers; the response's header will tell how long it took.

    Raises:
        LookalikeError: as `SearchEngine.answer`.
    """
    answer = engine().answer(query, wishes, deadline())
    tell(answer.timings)
    return answer


def deadline() -> Deadline:
    """Until when this request has to be answered."""
    told: Deadline = request.environ.get(DEADLINE, NEVER)
    return told


def picture_map() -> PictureMap:
    """The map of the collection that this request is answered from.

    Raises:
        RequestError: nothing is served yet.
    """
    return lent().picture_map


def takes(in_json: type, in_form: type | None = None) -> Any:  # noqa: ANN401 - a decorator
    """Document what a POST takes."""
    content = {"application/json": {"schema": in_json}}
    if in_form:
        content["multipart/form-data"] = {"schema": in_form}
    return api.doc(requestBody={"required": True, "content": content})


def takes_in_address(schema: type) -> Any:  # noqa: ANN401 - a decorator
    """Document what a GET takes in its address."""
    return api.doc(parameters=[{"in": "query", "schema": schema}])


@api.post("/api/v1/search")
@takes(SearchSchema, SearchFormSchema)
@api.response(200, AnswerSchema, headers=HEADER)
@api.doc(**samples("search"))
def search() -> Answer:
    """The images that look most like the pictures sent, or named."""
    query, wishes = read_body(request, SearchSchema(), SearchFormSchema())
    return answer(query, wishes)


@api.post("/api/v1/search/batch")
@takes(BatchSchema)
@api.response(200, BatchAnswerSchema, headers=HEADER)
@api.doc(**samples("batch"))
def search_batch() -> dict[str, Any]:
    """Up to 64 searches in one call, embedded together; each has its answer, or why there is none."""
    request.max_content_length = MAX_BATCH_BYTES
    queries = read_json(request, BatchSchema())["queries"]
    count_further(len(queries) - 1)
    answers, timings = engine().answer_all(queries, deadline())
    tell(timings)
    return {"answers": [_batch_item(one) for one in answers], "took_ms": timings.rounded}


def _batch_item(answer: Answer | LookalikeError) -> dict[str, Any]:
    if not isinstance(answer, LookalikeError):
        return {"answer": answer, "error": None}
    told = problem(answer)[1]
    tell_refused(told["code"])
    return {"answer": None, "error": told}


@api.post("/api/v1/localize")
@takes(PictureSchema, PictureFormSchema)
@api.response(200, LocatedSchema, headers=HEADER)
@api.doc(**samples("localize"))
def localize() -> Response:
    """What is in the picture sent, or named, and where."""
    located = engine().localize(read_body(request, PictureSchema(), PictureFormSchema()), deadline())
    tell(located.timings)
    found = located.sight.localization
    told = LocalizationSchema().dump(found.to_json()) if found else {}
    return jsonify({"query": SightSchema().dump(located.sight), **told, "took_ms": located.timings.rounded})


@api.get("/api/v1/images")
@takes_in_address(ListSchema)
@api.response(200, ListingSchema)
@api.doc(**samples("images"))
def images() -> Any:  # noqa: ANN401 - a record, which the schema writes
    """The images that fulfil filters, by image id."""
    return engine().catalogue.list_images(*load_flat(ListSchema(), request.args))


@api.get("/api/v1/images/<int:image_id>")
@api.response(200, ImageSchema)
@api.doc(**samples("image"))
def image(image_id: int) -> Any:  # noqa: ANN401 - a record, which the schema writes
    """What is known of one image."""
    return engine().catalogue.image(image_id)


@api.get("/api/v1/images/<int:image_id>/similar")
@takes_in_address(FlatWishesSchema)
@api.response(200, AnswerSchema, headers=HEADER)
@api.doc(**samples("similar"))
def similar(image_id: int) -> Answer:
    """The images that look most like an indexed one."""
    wishes = load_flat(FlatWishesSchema(), request.args)
    return answer(Query((IndexedPicture(image_id),)), wishes)


@api.get("/api/v1/images/<int:image_id>/file")
@api.response(200, _JPEG, content_type="image/*", description="The picture file")
@api.alt_response(304, description="As the client has it", success=True)
def picture_file(image_id: int) -> Response:
    """The picture as it lies in the devkit."""
    found = meant_image(image_id)
    name = "".join(letter if letter.isprintable() else "_" for letter in found.filename)
    files = engine().files
    files.path(found)
    kind = MEDIA_TYPES[PurePath(name).suffix.lower()]  # those that the system knows differ
    return cached(
        found.sha256,
        lambda: send_file(io.BytesIO(files.read(found)), kind, download_name=name, etag=False, conditional=False),
    )


@api.get("/api/v1/images/<int:image_id>/thumbnail")
@api.response(200, _JPEG, content_type="image/jpeg", description="A JPEG of at most 320 pixels a side")
@api.alt_response(304, description="As the client has it", success=True)
def thumbnail(image_id: int) -> Response:
    """A small JPEG of the picture."""
    found = meant_image(image_id)
    return cached(
        f"{found.sha256}-thumbnail",
        lambda: Response(engine().files.thumbnail(found), content_type="image/jpeg"),
    )


@api.get("/api/v1/map")
@api.response(200, MapSchema)
@api.alt_response(304, description="As the client has it", success=True)
@api.doc(**samples("map"))
def places() -> Response:
    """Where each image lies on the map, and what is told of it there; row = image id."""
    return packed(picture_map().content)


@api.get("/healthz")
@api.response(200, {"type": "object", "properties": {"status": {"type": "string"}}})
@api.doc(security=[])
def alive() -> Response:
    """Whether the process answers."""
    return jsonify({"status": "alive"})


@api.get("/readyz")
@api.response(200, ReadySchema)
@api.doc(security=[])
def ready() -> dict[str, Any]:
    """Whether collection and backbone are loaded and agree, and the servers that it lies on, if any, answer."""
    engine().collection.store.check()
    manifest = engine().collection.manifest
    return {
        "status": "ready",
        "images": manifest.images,
        "generation": manifest.generation,
        "modes": engine().modes,
        "targets": engine().targets,
        "localizes": engine().localizes,
        "fingerprint": manifest.fingerprint,
        "reload_failure": served().failure,
    }


def meant_image(image_id: int) -> IndexedImage:
    """The image that the address of this request means; raises as `find_image`."""
    return find_image(engine(), image_id, request.args.get("v", ""))
