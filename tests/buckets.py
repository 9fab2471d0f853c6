"""A devkit in a bucket: moto's S3, over HTTP, on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

BUCKET = "pictures"


@contextmanager
def serving() -> Iterator[Any]:
    """A client of an empty store, which the standard settings name meanwhile."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "tests",
        "AWS_SECRET_ACCESS_KEY": "tests",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    try:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in settings.items():
                environment.setenv(name, value)
            s3fs.S3FileSystem.clear_instance_cache()  # which know the settings that they were made with
            client = boto3.client("s3")
            client.create_bucket(Bucket=BUCKET)
            yield client
            client.close()
    finally:
        server.stop()


def upload(client: Any, devkit: Path, name: str) -> str:  # noqa: ANN401 - boto3's
    """Put a devkit into the bucket; its address there."""
    for path in sorted(devkit.rglob("*")):
        if path.is_file():
            client.put_object(
                Bucket=BUCKET, Key=f"{name}/{path.relative_to(devkit).as_posix()}", Body=path.read_bytes()
            )
    return f"s3://{BUCKET}/{name}"
