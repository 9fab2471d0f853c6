"""One module for each change of the catalogue's tables; what was released is never changed again."""
