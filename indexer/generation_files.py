"""What the files of a generation are called."""

INDEX_FILE, OBJECT_INDEX_FILE = "index.faiss", "objects.faiss"
DATABASE_FILE, REDUCTION_FILE = "metadata.sqlite", "reduction.npz"


def maps_file(stage: str) -> str:
    """Name of the file of a stage's maps."""
    return f"maps-{stage}.npy"
