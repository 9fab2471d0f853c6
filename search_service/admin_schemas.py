"""What the routes for those who run the service answer."""

from marshmallow import Schema, fields


def told(description: str) -> dict[str, str]:
    """What the specification says of a field."""
    return {"description": description}


class ServedSchema(Schema):
    """One published state of the collection, as it is served."""

    generation = fields.Integer()
    images = fields.Integer()
    fingerprint = fields.String()
    heads = fields.Dict(fields.String(), fields.String(), metadata=told("task -> SHA-256 of the head's weights"))
    since = fields.AwareDateTime(format="iso", metadata=told("when it was opened"))


class ReloadsSchema(Schema):
    """How often something else was opened since the start."""

    done = fields.Integer(metadata=told("and took the place of what was served"))
    failed = fields.Integer(metadata=told("in vain: what was served before is served still"))
    failure = fields.String(
        allow_none=True, metadata=told("why what was published since cannot be served; null where it is")
    )


class ProcessSchema(Schema):
    """The process that answers."""

    pid = fields.Integer()
    resident = fields.Integer(metadata=told("memory that it holds, in bytes"))
    threads = fields.Integer()
    open_files = fields.Integer(metadata=told("with sockets"))


class StatsSchema(Schema):
    """How it is with the service."""

    served = fields.Nested(ServedSchema, allow_none=True, metadata=told("null before the first build"))
    reloads = fields.Nested(ReloadsSchema)
    leases = fields.Integer(metadata=told("requests at work on the collection, this one included"))
    open_states = fields.Integer(metadata=told("published states that are open: more than 1 only for a moment"))
    process = fields.Nested(ProcessSchema)
