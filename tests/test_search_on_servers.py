"""What holds of a search in an embedded collection holds of one on servers: the same tests over the others."""

from tests.milvus import needs_milvus
from tests.on_servers import *  # noqa: F403 - fixtures
from tests.on_servers import objects_engine  # noqa: F401 - once more: the one of the tests' own came in between
from tests.test_collection import (  # noqa: F401
    test_an_image_is_nearest_to_itself,
    test_parts_agree_row_by_row,
)
from tests.test_localize import (  # noqa: F401
    test_an_uploaded_picture_finds_itself_in_both_modes,
    test_localize_takes_the_same_inputs_as_search,
    test_readiness_tells_what_is_there,
    test_search_tells_the_same_from_its_one_embedding,
    test_semantic_is_the_default_mode_and_visual_is_as_it_was,
)
from tests.test_search_api import *  # noqa: F403
from tests.test_search_batch import *  # noqa: F403

pytestmark = needs_milvus
