"""The localizer: what is in a picture and where, learned from a collection's embeddings."""
