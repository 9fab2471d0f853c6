"""What the clients of a soak ask, and how a right answer looks: good requests of all kinds, and bad ones."""

import json
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

_BOUNDARY = "x-lookalike-soak"
_COPY = 0.99  # what a copy scores at least: arithmetic in bf16, and in other batches, differs by thousandths

Check = Callable[[bytes], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request, and what its answer must be.

    Attributes:
        kind: what is asked, in a word.
        statuses: of HTTP that are right.
        is_right: whether the body of an answer with status 200 is right.
    """

    kind: str
    path: str
    method: str = "GET"
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    statuses: tuple[int, ...] = (200,)
    is_right: Check = bool


class Questions:
    """Draws questions about a collection.

    Args:
        pictures: files of images that every generation holds.
        images: so many images, at least, does every generation hold.
        lot: draws.
    """

    def __init__(self, pictures: Sequence[Path], images: int, lot: random.Random) -> None:
        self._pictures = pictures
        self._images = images
        self._lot = lot
        self._good = (self._similar, self._similar, self._upload, self._upload, self._localize, self._page,
                      self._thumbnail, self._map)  # fmt: skip
        self._bad = (self._broken_picture, self._noise, self._bomb, self._broken_json, self._wrong_method,
                     self._huge, self._traversal, self._unknown)  # fmt: skip

    def good(self) -> Question:
        """One that is answered."""
        return self._lot.choice(self._good)()

    def bad(self) -> Question:
        """One that is refused."""
        return self._lot.choice(self._bad)()

    def _similar(self) -> Question:
        number = self._lot.randrange(self._images)
        return Question(
            kind="by id", path=f"/api/v1/images/{number}/similar?k=5", is_right=partial(_is_like, number=number)
        )

    def _upload(self) -> Question:
        picture = self._lot.choice(self._pictures)
        return _form(
            "upload", "/api/v1/search", picture.read_bytes(), is_right=partial(_finds_copy, name=picture.name)
        )

    def _localize(self) -> Question:
        return _form("localize", "/api/v1/localize", self._lot.choice(self._pictures).read_bytes(), is_right=_sees)

    def _page(self) -> Question:
        number = self._lot.randrange(self._images)
        path = self._lot.choice(["/", "/browse", "/quality", f"/images/{number}", f"/?positive={number}"])
        return Question(kind="page", path=path, is_right=lambda body: b"</html>" in body)

    def _thumbnail(self) -> Question:
        path = f"/api/v1/images/{self._lot.randrange(self._images)}/thumbnail"
        return Question(kind="thumbnail", path=path, is_right=lambda body: body.startswith(b"\xff\xd8"))

    def _map(self) -> Question:
        # The map is laid out for one generation: of the next there is none, which is told.
        return Question(kind="map", path="/api/v1/map", statuses=(200, 409), is_right=lambda body: b'"x"' in body)

    def _broken_picture(self) -> Question:
        whole = self._lot.choice(self._pictures).read_bytes()
        return _form("cut off", "/api/v1/search", whole[: self._lot.randrange(len(whole) // 2)], statuses=(400,))

    def _noise(self) -> Question:
        return _form("noise", "/api/v1/localize", self._lot.randbytes(2_000), statuses=(400,))

    def _bomb(self) -> Question:
        side = self._lot.randrange(20_000, 2**31)
        return _form("bomb", "/api/v1/search", _png_that_claims(side, side), statuses=(400,))

    def _broken_json(self) -> Question:
        text = self._lot.choice(["{", '{"image_id": "x"}', "[" * 5_000, '{"k": 1e999}', "null", "\x00"])
        return _json("bad JSON", text.encode(), statuses=(400,))

    def _wrong_method(self) -> Question:
        method = self._lot.choice(["DELETE", "PUT", "PATCH", "TRACE"])
        return Question(kind="wrong method", path="/api/v1/search", method=method, statuses=(405,))

    def _huge(self) -> Question:
        length = str(self._lot.randrange(2**27, 2**40))
        headers = {"Content-Type": "application/json", "Content-Length": length}
        return Question(
            kind="huge body", path="/api/v1/search", method="POST", headers=headers, statuses=(413,), body=b"{"
        )

    def _traversal(self) -> Question:
        up = self._lot.choice(["../", "%2e%2e/", "..%2f", "%2e%2e%5c"]) * 6
        place = self._lot.choice(["/api/v1/images/", "/static/", "/images/", "/"])
        return Question(kind="traversal", path=f"{place}{up}etc/passwd", statuses=(400, 404))

    def _unknown(self) -> Question:
        asked: dict[str, object] = self._lot.choice(
            [{"image_id": 10**9}, {"image_id": 0, "k": 0}, {"image_id": 0, "colour": "red"}]
        )
        return _json("unknown", json.dumps(asked).encode(), statuses=(400, 404))


def _is_like(body: bytes, number: int) -> bool:
    """Whether an answer is of that image, and best first."""
    answer = json.loads(body)
    scores = [one["score"] for one in answer["results"]]
    found = [one["image_id"] for one in answer["results"]]
    [asked] = answer["query"]["positives"]
    return (
        asked["image_id"] == number and len(found) == 5 and number not in found and scores == sorted(scores)[::-1]
    )


def _finds_copy(body: bytes, name: str) -> bool:
    """Whether the picture that was sent is among the first that were found, with the score of a copy."""
    results = json.loads(body)["results"]
    return any(one["filename"] == name and one["score"] >= _COPY for one in results)


def _sees(body: bytes) -> bool:
    answer = json.loads(body)
    return answer["class"] is not None and 0 <= answer["probability"] <= 1 and len(answer["box"]) == 4


def _form(kind: str, path: str, picture: bytes, **expected: Any) -> Question:  # noqa: ANN401 - of a question
    disposition = 'Content-Disposition: form-data; name="image"; filename="a.jpg"'
    before = f"--{_BOUNDARY}\r\n{disposition}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    body = before + picture + f"\r\n--{_BOUNDARY}--\r\n".encode()
    return Question(kind=kind, path=path, method="POST", headers=headers, body=body, **expected)


def _json(kind: str, body: bytes, statuses: tuple[int, ...]) -> Question:
    headers = {"Content-Type": "application/json"}
    return Question(kind=kind, path="/api/v1/search", method="POST", headers=headers, body=body, statuses=statuses)


def _png_that_claims(width: int, height: int) -> bytes:
    """A PNG of few bytes whose header tells of that many pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
