"""The page that says how good search and heads are, from what the evaluations kept; nothing is computed for it."""

import shlex

from flask import Blueprint, render_template, request

from indexer import retrieval_record
from indexer.retrieval_record import RetrievalRecord
from localizer import checkpoint, evaluation_record
from localizer.evaluation_record import EvaluationRecord
from localizer.wording import FIGURE_TEXTS
from search_service import quality_views as views
from search_service.api import engine
from search_service.kept_records import Kept, KeptRecords
from search_service.picture_lists import MISTAKES, PictureList
from search_service.quality_state import QualityState

quality = Blueprint("quality", __name__)

_RETRIEVALS = KeptRecords[RetrievalRecord](retrieval_record.NAME, retrieval_record.load)
_EVALUATIONS = KeptRecords[EvaluationRecord](evaluation_record.NAME, evaluation_record.load)


def evaluation() -> Kept[EvaluationRecord]:
    """The newest evaluation of the heads of the collection that this request is answered from."""
    return _EVALUATIONS.of(engine().collection)


@quality.get("/quality")
def quality_page() -> str:
    """Figures beside their baselines, and the worst mistakes that the address asks for."""
    collection = engine().collection
    retrieval, evaluated = _RETRIEVALS.of(collection), evaluation()
    record = evaluated.record
    splits = [name for name in collection.manifest.splits if name]
    state = QualityState.read(request.args, _classes(record))
    curves = views.curves(record) if record else []
    matrix = views.matrix(record) if record else []
    mistakes = views.worst(record, state) if record else []
    return render_template(
        "quality.html",
        state=state,
        retrieval=retrieval,
        evaluation=evaluated,
        only_split=splits[0] if len(splits) == 1 else None,
        quote=shlex.quote,
        heads=checkpoint.digests(collection.path, collection.manifest.fingerprint),
        figure_texts=FIGURE_TEXTS,
        tiles=views.tiles(retrieval.record, record),
        matrix=matrix,
        commonest=views.commonest(matrix),
        curves=curves,
        common=views.common(curves),
        chosen=next((one for one in curves if one.name == state.class_name), None),
        mistakes=views.show(collection, mistakes[state.offset : state.offset + views.PAGE]),
        found=len(mistakes),
        opened_from=PictureList(MISTAKES, mistakes=state),
        page=views.PAGE,
    )


def _classes(record: EvaluationRecord | None) -> set[str]:
    """All that the address may name."""
    told = {verdict.true_class for verdict in record.verdicts} | set(record.classes) if record else set()
    return told | set(engine().collection.manifest.classes)
