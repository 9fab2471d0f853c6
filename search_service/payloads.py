"""Records -> JSON, as the API gives them."""

from dataclasses import asdict
from typing import Any

from indexer.records import IndexedImage, ObjectLabel
from localizer.records import Localization
from search_service.records import Answer, Match


def image_json(image: IndexedImage) -> dict[str, Any]:
    """One image; its addresses change with its content, so they may be cached for good."""
    base, version = f"/api/v1/images/{image.image_id}", image.sha256[:12]
    return {
        "image_id": image.image_id,
        "filename": image.filename,
        "width": image.width,
        "height": image.height,
        "split": image.split,
        "objects": [object_json(label) for label in image.objects],
        "image_url": f"{base}/file?v={version}",
        "thumbnail_url": f"{base}/thumbnail?v={version}",
    }


def match_json(match: Match) -> dict[str, Any]:
    """One result: its image, and its score."""
    return {**image_json(match.image), "score": match.score}


def object_json(label: ObjectLabel) -> dict[str, Any]:
    """One object; `box` is [xmin, ymin, xmax, ymax] in pixels, half-open; null for what is not annotated."""
    attributes = asdict(label)
    del attributes["class_name"], attributes["box"]
    return {"class": label.class_name, "box": list(label.box.corners), **attributes}


def answer_json(answer: Answer) -> dict[str, Any]:
    """What a search found, and what is in the query."""
    return {
        "query": query_json(answer),
        "localization": localization_json(answer.localization),
        "mode": answer.mode,
        "results": [match_json(match) for match in answer.matches],
        "took_ms": took_json(answer),
    }


def located_json(answer: Answer) -> dict[str, Any]:
    """What is in the query, and where."""
    return {
        "query": query_json(answer),
        **(localization_json(answer.localization) or {}),
        "took_ms": took_json(answer),
    }


def query_json(answer: Answer) -> dict[str, Any]:
    """What was asked about."""
    return {
        "image_id": answer.image.image_id if answer.image else None,
        "filename": answer.image.filename if answer.image else None,
        "width": answer.width,
        "height": answer.height,
    }


def localization_json(localization: Localization | None) -> dict[str, Any] | None:
    """Boxes are [xmin, ymin, xmax, ymax] in pixels of the picture, half-open."""
    return localization.to_json() if localization else None


def took_json(answer: Answer) -> dict[str, float]:
    """Milliseconds of each stage."""
    return {stage: round(value, 3) for stage, value in answer.timings.to_json().items()}
