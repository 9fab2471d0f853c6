"""The indexer: knows pictures, their vectors, and the collection they are kept in."""
