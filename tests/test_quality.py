"""The quality page as it comes from the server: every state of the records has a face."""

import html
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from indexer import retrieval_record
from indexer.collection import Collection
from localizer import evaluation_record
from localizer.evaluation_record import EvaluationRecord
from localizer.publish import train_and_publish
from localizer.settings import Settings
from search_service import quality_views as views
from search_service.engine import SearchEngine
from search_service.quality_state import QualityState
from search_service.settings import Settings as ServiceSettings
from tests.conftest import client_of
from tests.elements import Elements

COMMANDS = ("python -m indexer evaluate", "python -m localizer evaluate")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, evaluated_path: Path) -> SearchEngine:
    """An engine over a copy of the evaluated collection."""
    path = Path(shutil.copytree(evaluated_path, tmp_path_factory.mktemp("served") / "collection"))
    return SearchEngine.open(ServiceSettings(collection=path))


@pytest.fixture
def quality(served: SearchEngine, evaluated_path: Path) -> Iterator[FlaskClient]:
    """A client of it; whatever a test does to its records and heads is undone."""
    yield client_of(served)
    for name in ("derived", "heads"):
        shutil.rmtree(served.collection.path / name)
        shutil.copytree(evaluated_path / name, served.collection.path / name)


@pytest.fixture
def record(evaluated_path: Path) -> EvaluationRecord:
    """What was found of the heads."""
    with Collection.open(evaluated_path) as collection:
        found = evaluation_record.load(collection)
    assert found is not None
    return found


def stored(served: SearchEngine, name: str) -> Path:
    return served.collection.path / "derived" / served.collection.folder.name / f"{name}.json"


def words_of(page: str) -> str:
    """What is there to be read, with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def cards_of(page: str) -> list[str]:
    return re.findall(r'<li class="card mistake">.*?</li>', page, re.DOTALL)


def test_every_figure_stands_beside_its_baselines(quality: FlaskClient, served: SearchEngine) -> None:
    retrieval, evaluation = (one.load(served.collection) for one in (retrieval_record, evaluation_record))
    page = quality.get("/quality").text
    words = words_of(page)

    assert retrieval is not None
    assert evaluation is not None
    for mode in ("visual", "semantic"):
        report = retrieval.modes[mode].main_class
        assert f"{report.overall.map:.2f}" in words
        assert f"{report.chance.map:.2f}" in words
    main = evaluation.figures["main_object"]
    low, high = main["intervals"]["class_and_iou_50"]
    assert f"{main['class_and_iou_50']:.2f} {low:.2f}–{high:.2f}" in words  # noqa: RUF001 - a range has its dash
    assert all(name.replace("_", " ") in words for name in main["baselines"])
    assert f"{main['calibration']['class_ece']:.3f}" in words
    assert f"mAP {evaluation.figures['detector']['map_50']:.2f}" in words
    assert all(f"<option>{name}</option>" in page for name in evaluation.curves)


def test_the_page_has_a_place_among_the_others_and_keeps_to_the_policy(quality: FlaskClient) -> None:
    elements = Elements(quality.get("/quality?true=cat").text)

    (here,) = [one for one in elements.of("a") if one.get("aria-current") == "page"]
    assert here["href"] == "/quality"
    assert not [one for _, one in elements.found if "style" in one or any(name.startswith("on") for name in one)]
    assert not elements.of("style")
    addresses = [one[name] or "" for _, one in elements.found for name in ("src", "href") if name in one]
    assert all(address.startswith(("/", "#")) for address in addresses)
    assert all(quality.get(one).status_code == 200 for one in addresses if one.startswith("/static/"))
    ids = [one["id"] for _, one in elements.found if "id" in one]
    assert len(ids) == len(set(ids))
    assert {one[1:] for one in addresses if one.startswith("#")} <= set(ids)


def test_every_number_off_the_diagonal_leads_to_those_mistakes(
    quality: FlaskClient, record: EvaluationRecord
) -> None:
    page = quality.get("/quality").text
    confused = {(one.true_class, one.predicted_class) for one in record.verdicts}
    confused = {(true, predicted) for true, predicted in confused if true != predicted}

    cells = re.findall(r'<td class="wrong[^"]*"><a href="([^"]+)" aria-label="(\w+) taken for (\w+): (\d+)"', page)
    assert {(true, predicted) for _, true, predicted, _ in cells} == confused
    for address, true, predicted, count in cells[:4]:
        cards = cards_of(quality.get(html.unescape(address)).text)
        assert len(cards) == int(count)
        assert all(words_of(card).startswith(f"{true}, taken for {predicted} ") for card in cards)


def test_the_surest_mistakes_come_first_with_both_boxes(quality: FlaskClient, record: EvaluationRecord) -> None:
    wrong = sorted((one for one in record.verdicts if one.mistaken), key=lambda one: -one.probability)
    cards = cards_of(quality.get("/quality").text)

    assert len(cards) == min(len(wrong), views.PAGE)
    for card, verdict in zip(cards, wrong, strict=False):
        elements = Elements(card)
        told = f", taken for {verdict.predicted_class}" if verdict.true_class != verdict.predicted_class else ""
        said = f"{verdict.true_class}{told} {verdict.probability:.2f} , IoU {verdict.iou:.2f}"
        assert words_of(card) == said
        assert elements.of("a", href=f"/images/{verdict.image_id}?list=mistakes")
        image = quality.get(f"/api/v1/images/{verdict.image_id}").get_json()
        corners = [one["box"] for one in image["objects"]]
        (true,) = elements.of("rect", **{"class": "true-box"})
        assert [float(true["x"] or 0), float(true["y"] or 0)] in [box[:2] for box in corners]
        (predicted,) = elements.of("rect", **{"class": "predicted-box"})
        assert float(predicted["x"] or -1) == pytest.approx(verdict.box[0])


def test_headline_figures_say_what_they_are_of(record: EvaluationRecord, served: SearchEngine) -> None:
    retrieval = retrieval_record.load(served.collection)
    assert retrieval is not None
    figures = dict(record.figures)
    counts = {"cat": 40, "dog": 20, "cow": 3}
    figures["detector"] = {
        "map_50": 0.71,
        "map_50_all_classes": 0.34,
        "per_class": {name: {"ap_50": 0.5, "objects": count} for name, count in counts.items()},
    }
    search, *main, detector = views.tiles(retrieval, replace(record, figures=figures))

    assert search.beside.startswith(
        "val searched in train, which the heads learned from and know too well; chance "
    )
    assert all(f"{record.figures['main_object']['images']} pictures of val; " in tile.beside for tile in main)
    assert (detector.value, detector.beside) == (
        0.71,
        "over the 2 classes of 20 objects and more; 0.34 over all 3",
    )
    flattered = views.tiles(None, replace(record, split=record.trained_on))
    assert all("know too well" in tile.beside for tile in flattered[:2])


def test_a_good_box_of_another_object_of_the_class_is_no_mistake(record: EvaluationRecord) -> None:
    [first, *others] = (one for one in record.verdicts if one.mistaken)
    excused = replace(record, verdicts=(replace(first, another=True), *others))

    assert views.worst(excused, QualityState()) == sorted(others, key=lambda one: (-one.probability, one.image_id))


def test_mistakes_of_class_and_of_box_are_told_apart(record: EvaluationRecord) -> None:
    either, by_class, by_box = (views.worst(record, QualityState(wrong=wrong)) for wrong in (None, "class", "box"))

    assert {one.image_id for one in by_class} | {one.image_id for one in by_box} == {
        one.image_id for one in either
    }  # fmt: skip
    assert all(one.true_class != one.predicted_class for one in by_class)
    assert all(one.true_class == one.predicted_class and one.iou < 0.5 for one in by_box)


def test_mistakes_go_on_from_page_to_page(quality: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    together = cards_of(quality.get("/quality").text)
    monkeypatch.setattr(views, "PAGE", 3)

    page, cards, address = "", [], "/quality"
    while address:
        page = quality.get(address).text
        cards += cards_of(page)
        onward = Elements(page).of("a", rel="next")
        address = onward[0]["href"] or "" if onward else ""

    assert cards == together
    assert Elements(page).of("a", rel="prev")
    assert "no mistakes beyond" in quality.get("/quality?offset=999").text


def test_a_filter_that_leaves_nothing_says_so(quality: FlaskClient, record: EvaluationRecord) -> None:
    pairs = {(one.true_class, one.predicted_class) for one in record.verdicts}
    true, predicted = next(
        (one, other) for one in record.classes for other in record.classes if (one, other) not in pairs
    )

    page = quality.get(f"/quality?true={true}&predicted={predicted}").text

    assert "There is no such mistake" in page
    assert not cards_of(page)


def test_one_class_has_its_curve_large(quality: FlaskClient, record: EvaluationRecord) -> None:
    name = next(name for name, curve in record.curves.items() if any(curve))
    grid, large = quality.get("/quality").text, quality.get(f"/quality?class={name}").text

    assert Elements(grid).of("ul", **{"class": "curves"})
    assert not Elements(large).of("ul", **{"class": "curves"})
    (drawing,) = Elements(large).of("svg", role="img")
    assert (drawing["aria-label"] or "").startswith(f"Precision against recall of {name}")
    absent = sorted(set(record.classes) - set(record.curves))
    if absent:
        assert "so there is no curve" in quality.get(f"/quality?class={absent[0]}").text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("true=unicorn", "Expected a class of this collection"),
        ("wrong=all", "Expected wrong to be class or box"),
        ("offset=-1", "Expected offset to be a number from 0 on"),
        ("offset=x", "Expected offset to be a whole number"),
        ("class=<script>", "Expected a class of this collection"),
    ],
)
def test_an_address_that_makes_no_sense_gets_a_page(quality: FlaskClient, query: str, said: str) -> None:
    response = quality.get(f"/quality?{query}")

    assert response.status_code == 400
    assert said in html.unescape(response.text)
    assert "<script>'" not in response.text


def test_a_collection_that_was_never_evaluated_names_both_commands(client: FlaskClient) -> None:
    response = client.get("/quality")

    assert response.status_code == 200
    assert "Nothing has been measured yet" in response.text
    assert all(command in response.text for command in COMMANDS)
    assert "python -m localizer train" in response.text


@pytest.mark.parametrize(("gone", "missing"), [("retrieval", COMMANDS[0]), ("evaluation", COMMANDS[1])])
@pytest.mark.parametrize("damaged", [False, True], ids=["gone", "damaged"])
def test_one_record_is_shown_without_the_other(
    quality: FlaskClient, served: SearchEngine, gone: str, missing: str, *, damaged: bool
) -> None:
    if damaged:
        stored(served, gone).write_text("{")
    else:
        stored(served, gone).unlink()

    response = quality.get("/quality")

    words = words_of(response.text)
    assert response.status_code == 200
    assert f"{'Measure anew' if damaged else 'Not measured yet. Run'}: {missing} --collection DIR" in words
    assert ("chance" in words) == (gone != "retrieval")
    assert ("nearest neighbour" in words) == (gone != "evaluation")


def test_an_evaluation_while_the_service_is_up_shows_at_once(
    quality: FlaskClient, served: SearchEngine, evaluated_path: Path
) -> None:
    stored(served, "evaluation").unlink()
    before = quality.get("/quality").text
    shutil.copytree(evaluated_path / "derived", served.collection.path / "derived", dirs_exist_ok=True)

    assert not cards_of(before)
    assert cards_of(quality.get("/quality").text)


def test_records_are_read_when_they_change_and_not_on_every_request(
    quality: FlaskClient, served: SearchEngine, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)  # whatever a quiet command before left it at
    path = stored(served, "retrieval")
    path.write_text("{")

    for _ in range(3):
        quality.get("/quality")
    assert len(caplog.records) == 1
    os.utime(path, ns=(1, 1))
    quality.get("/quality")
    assert len(caplog.records) == 2


def test_heads_that_were_trained_since_are_told_of(quality: FlaskClient, served: SearchEngine) -> None:
    before = words_of(quality.get("/quality").text)
    train_and_publish(served.collection.path, "main", "train", Settings(epochs=1, seed=5), lambda *_: None)

    after = words_of(quality.get("/quality").text)

    assert "changed since" not in before
    assert "Heads have changed since this was measured" in after
    assert "The head that tells what is in a picture has changed since" in after


def test_a_head_that_is_not_there_is_told_of(quality: FlaskClient, served: SearchEngine) -> None:
    path = stored(served, "evaluation")
    content = json.loads(path.read_text())["content"]
    content["figures"]["detector"], content["curves"] = None, {}
    evaluation_record.keep(served.collection, evaluation_record.EvaluationRecord(
        **{**content, "verdicts": [evaluation_record.Verdict(**one) for one in content["verdicts"]]}
    ))  # fmt: skip

    words = words_of(quality.get("/quality").text)

    assert "There was no detector. Run: python -m localizer train --task detect" in words
    assert "its head alone" not in words


def test_a_page_without_a_head_for_main_objects_shows_the_detector(
    quality: FlaskClient, served: SearchEngine
) -> None:
    shutil.rmtree(served.collection.path / "heads" / "main")
    content = json.loads(stored(served, "evaluation").read_text())["content"]
    content["figures"]["main_object"] = None
    gone = {"classes": (), "confusion": (), "verdicts": ()}
    evaluation_record.keep(served.collection, evaluation_record.EvaluationRecord(**{**content, **gone}))

    page = quality.get("/quality").text

    assert "There was no head for main objects" in page
    assert Elements(page).of("ul", **{"class": "curves"})
    assert not cards_of(page)


def test_no_mistake_at_all_is_said(quality: FlaskClient, served: SearchEngine) -> None:
    content = json.loads(stored(served, "evaluation").read_text())["content"]
    right = [evaluation_record.Verdict(**{**one, "right": True}) for one in content["verdicts"]]
    evaluation_record.keep(served.collection, evaluation_record.EvaluationRecord(**{**content, "verdicts": right}))

    assert "There is none: every picture was answered" in quality.get("/quality").text
