"""The search service: answers a picture with its nearest neighbours, in a browser, over JSON, from a shell."""
