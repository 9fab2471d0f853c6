"""Where pictures are embedded: what a user asks for."""

from dataclasses import dataclass

LOCAL, RAY = ENGINES = ("local", "ray")
AUTO = "auto"  # the cluster that runs on this machine


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What a user asks for: how a build works, which its collection does not tell.

    Attributes:
        name: one of `ENGINES`.
        address: HOST:PORT of a Ray cluster's head, or `AUTO`; None to start one
            here for as long as the build takes.
        actors: processes that embed, each with a backbone of its own; None for one per node.
    """

    name: str = LOCAL
    address: str | None = None
    actors: int | None = None
