// What the pointer, the keyboard and the buttons do on the map.

import { View, isArrow, nearest, next } from "./map-view.js";

export function listen(map) {
  const { points, plot, root } = map;
  points.on("plotly_hover", ({ points: [point] }) => {
    const id = map.idOf(point);
    if (id !== undefined) map.card.show(id, map.view.pixel(map.place(id), map.size), false);
  });
  points.on("plotly_unhover", () => map.leave());
  points.on("plotly_click", ({ points: [point], event }) => open(map.idOf(point), event));
  points.on("plotly_selected", (event) => {
    if (event && !map.drawing) map.pick(event.points.map((point) => map.idOf(point)).filter((id) => id !== undefined));
  });
  points.on("plotly_relayouting", () => map.card.hide());
  points.on("plotly_relayout", (changed) => {
    if ("xaxis.range[0]" in changed) map.view = View.of(points.layout, map.size);
  });
  plot.addEventListener("keydown", (event) => press(map, event));
  plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) map.goTo(nearest(map.data, map.view.centre, map.drawn)); });
  plot.addEventListener("blur", () => map.leave());
  root.querySelector("select").addEventListener("change", ({ target }) => recolour(map, target.value));
  for (const button of root.querySelectorAll("[data-drag]")) button.addEventListener("click", () => dragBy(map, button));
  for (const button of root.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => zoom(map, button.dataset.zoom));
  for (const button of root.querySelectorAll("[data-show]")) {
    button.addEventListener("click", () => { map.show(() => button.dataset.show === "all"); map.drawLegend(); });
  }
  map.scheme.addEventListener("change", () => { map.draw(); map.drawLegend(); });
  new ResizeObserver(() => map.fit()).observe(plot);
}

function open(id, event) {
  if (id === undefined || id === null) return;
  if (event.ctrlKey || event.metaKey) window.open(`/images/${id}`, "_blank");
  else window.location.assign(`/images/${id}`);
}

function press(map, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const zooms = { "+": "0.6", "=": "0.6", "-": "1.667", 0: "all" };
  const from = map.cursor ?? nearest(map.data, map.star ?? map.view.centre, map.drawn);
  if (isArrow(event.key)) map.goTo(map.cursor === null ? from : next(map.data, from, event.key, map.drawn));
  else if (event.key === "Enter") open(map.cursor, event);
  else if (event.key === " " && map.cursor !== null) toggle(map, map.cursor);
  else if (event.key === "Escape") map.leave();
  else if (event.key in zooms) zoom(map, zooms[event.key]);
  else return;
  event.preventDefault();
}

function toggle(map, id) {
  const ids = [...(map.picked ?? [])];
  map.pick(ids.includes(id) ? ids.filter((one) => one !== id) : [...ids, id]);
}

async function zoom(map, by) {
  const cursor = map.cursor;
  await map.look(by === "all" ? View.around(map.whole(), map.size) : map.view.zoomed(Number(by)));
  map.leave();
  map.goTo(cursor);
}

function dragBy(map, button) {
  map.drag = button.dataset.drag;
  for (const other of map.root.querySelectorAll("[data-drag]")) other.setAttribute("aria-pressed", other === button);
  map.plotly.relayout(map.points, { dragmode: map.drag });
}

function recolour(map, way) {
  map.colourBy(way);
  map.draw();
  const address = new URL(window.location);
  if (map.way === map.root.querySelector("select").options[0].value) address.searchParams.delete("colour");
  else address.searchParams.set("colour", map.way);
  history.replaceState(null, "", address);
}
