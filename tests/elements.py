"""A page's elements, as its HTML has them."""

from html.parser import HTMLParser


class Elements(HTMLParser):
    """Collects the elements of a page with their attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note one."""
        self.found.append((tag, dict(attrs)))

    def of(self, tag: str, **attributes: str) -> list[dict[str, str | None]]:
        """The attributes of every such element."""
        return [one for name, one in self.found if name == tag and attributes.items() <= one.items()]

    def links(self, part: str) -> list[str]:
        """The addresses that have this part in them."""
        return [one["href"] or "" for one in self.of("a") if part in (one.get("href") or "")]
