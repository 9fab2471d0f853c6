// The pictures that were picked on the map, as a list of thumbnails under it.

const AT_ONCE = 60;
const MOST_TO_SEARCH_WITH = 10;

export class Picked {
  constructor(section, describe, clear) {
    this.section = section;
    this.describe = describe;
    this.list = section.querySelector("ul");
    this.heading = section.querySelector("h2");
    this.search = section.querySelector(".map-search");
    this.more = section.querySelector("[data-more]");
    this.more.addEventListener("click", () => this.extend());
    section.querySelector("[data-clear]").addEventListener("click", clear);
  }

  // `clearable` where they were selected, and are not the neighbours of a query.
  show(ids, heading, clearable) {
    this.ids = ids;
    this.list.replaceChildren();
    this.section.hidden = !ids.length;
    this.section.querySelector("[data-clear]").hidden = !clearable;
    if (!ids.length) return;
    this.heading.textContent = heading;
    const searched = ids.slice(0, MOST_TO_SEARCH_WITH);
    this.search.href = `/?${searched.map((id) => `positive=${id}`).join("&")}`;
    this.search.textContent = ids.length > searched.length ? `Search with the first ${searched.length}` : "Search with these";
    this.extend();
  }

  extend() {
    const shown = this.list.children.length;
    const added = this.ids.slice(shown, shown + AT_ONCE).map((id) => this.item(id));
    this.list.append(...added);
    this.more.hidden = this.list.children.length >= this.ids.length;
    if (shown) added[0]?.firstChild.focus();
  }

  item(id) {
    const picture = Object.assign(new Image(176, 132), { loading: "lazy", decoding: "async", alt: this.describe(id) });
    picture.src = `/api/v1/images/${id}/thumbnail`;
    const link = Object.assign(document.createElement("a"), { href: `/images/${id}`, title: this.describe(id) });
    link.append(picture);
    const item = document.createElement("li");
    item.append(link);
    return item;
  }
}
