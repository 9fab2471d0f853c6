# The service and its commands, with what the tests ran with: scripts/setup installs what requirements.lock holds, each
# file checked by its SHA-256.
FROM python:3.11-slim-bookworm

RUN useradd --create-home --uid 1000 lookalike && install --directory --owner lookalike /app /data /home/lookalike/.cache
USER lookalike
WORKDIR /app

COPY --chown=lookalike . .
RUN PIP_NO_CACHE_DIR=1 ./scripts/setup

ENV PATH=/app/.venv/bin:$PATH
VOLUME /data
EXPOSE 8000
