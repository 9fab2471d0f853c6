// The points of the map, and what is known of them: plotly draws them, what is around them is this page's own.

import { WAYS, groupBy, marks, swatch, tells, trace } from "./map-groups.js";
import { Picked } from "./map-picked.js";
import { Card } from "./map-pointer.js";
import { PROGRAMS } from "./map-programs.js";
import { View, bounds } from "./map-view.js";

const CONFIG = { scrollZoom: true, displayModeBar: false, showAxisDragHandles: false, doubleClick: false, responsive: false };
const STAR = "#ffc72e"; // like no group
const NEAR = 0.06; // of the map's extent: how much of it a query shows at least

export class PictureMap {
  constructor(root, data, plotly) {
    this.plotly = plotly;
    this.data = data;
    this.root = root;
    this.plot = root.querySelector(".map-plot");
    this.points = root.querySelector(".map-points");
    this.heard = document.querySelector(".map-heard");
    this.type = document.createElement("canvas").getContext("webgl") ? "scattergl" : "scatter";
    this.scheme = window.matchMedia("(prefers-color-scheme: dark)");
    this.star = root.dataset.star?.split(",").map(Number);
    this.neighbours = (root.dataset.neighbours ?? "").split(",").filter(Boolean).map(Number);
    this.drag = "pan";
    this.drawing = 0;
    this.picked = null;
    this.cursor = null;
    this.card = new Card(this.plot, (id) => this.describe(id));
    this.list = new Picked(document.querySelector(".map-picked"), (id) => this.describe(id), () => this.pick([]));
    this.view = this.home();
    this.colourBy(new URLSearchParams(window.location.search).get("colour"));
    this.showNeighbours();
  }

  // Draw for the first time; resolves when it is there.
  async begin() {
    if (this.type === "scattergl") {
      await this.plotly.newPlot(this.points, [{ type: this.type, visible: false }], this.layout(), CONFIG);
      Object.assign(this.points._fullData[0]._module.plot.reglPrecompiled ?? {}, PROGRAMS);
    }
    await this.draw();
    if (!this.points.querySelector(".no-webgl")) return;
    this.plotly.purge(this.points);
    this.type = "scatter"; // slower, and the same to see
    await this.draw();
  }

  get size() {
    return { width: this.plot.clientWidth, height: this.plot.clientHeight };
  }

  describe(id) {
    return `${this.data.classes[this.data.class[id]] ?? "not annotated"}, picture ${id}`;
  }

  place(id) {
    return [this.data.x[id], this.data.y[id]];
  }

  whole() {
    return bounds(this.data.x.map((x, id) => [x, this.data.y[id]]));
  }

  // A query with its neighbours, else everything.
  home() {
    const [left, bottom, right, top] = this.whole();
    const places = this.neighbours.map((id) => this.place(id));
    if (this.star) places.push(this.star);
    if (!places.length) return View.around([left, bottom, right, top], this.size);
    return View.around(bounds(places), this.size, NEAR * Math.max(right - left, top - bottom)).zoomed(1.15);
  }

  colourBy(asked) {
    const select = this.root.querySelector("select"); // its first way is the usual one
    this.way = WAYS.includes(asked) && tells(this.data, asked) ? asked : select.options[0].value;
    this.groups = groupBy(this.data, this.way);
    this.shown = this.groups.map(() => true);
    for (const option of select.options) option.disabled = option.index > 0 && !tells(this.data, option.value);
    select.value = this.way;
    this.drawLegend();
  }

  // Draw everything anew; resolves when it is there. plotly then tells of selections that nobody made.
  async draw() {
    this.drawing += 1;
    this.drawnSize = this.size;
    const dark = this.scheme.matches;
    const told = { dark, picked: this.picked, type: this.type };
    const traces = this.groups.map((group, place) => trace(group, this.data, { ...told, shown: this.shown[place] }));
    await this.plotly.react(this.points, [...traces, ...this.highlights()], this.layout(), CONFIG);
    this.drawing -= 1;
  }

  highlights() {
    const ink = getComputedStyle(this.plot);
    const line = { width: 2, color: ink.getPropertyValue("--ink") };
    const made = [];
    if (this.neighbours.length) {
      const ring = { symbol: "circle-open", size: 18, color: line.color, line };
      made.push(marks(this.neighbours.map((id) => this.place(id)), ring, this.type));
    }
    if (this.star) {
      made.push(marks([this.star], { symbol: "star", size: 26, color: STAR, line }, this.type));
    }
    return made;
  }

  layout() {
    const ranges = this.view.ranges(this.size);
    const axis = (name) => ({ visible: false, range: ranges[name], autorange: false });
    const accent = getComputedStyle(this.plot).getPropertyValue("--accent");
    return {
      ...this.size,
      margin: { l: 0, r: 0, t: 0, b: 0 },
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      showlegend: false,
      hovermode: "closest",
      dragmode: this.drag,
      newselection: { line: { color: accent, width: 2, dash: "solid" } },
      selections: [],
      xaxis: axis("xaxis.range"),
      yaxis: axis("yaxis.range"),
    };
  }

  drawLegend() {
    const legend = this.root.querySelector(".map-legend");
    const items = this.groups.map((group, place) => {
      const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: this.shown[place] });
      box.addEventListener("change", () => this.show((shown, at) => (at === place ? box.checked : shown)));
      const label = document.createElement("label");
      const count = Object.assign(document.createElement("small"), { textContent: group.ids.length.toLocaleString("en-GB") });
      label.append(box, swatch(group, this.scheme.matches), group.name, " ", count);
      const item = document.createElement("li");
      item.append(label);
      return item;
    });
    legend.querySelector("ul").replaceChildren(...items);
    legend.hidden = false;
  }

  show(choose) {
    this.shown = this.shown.map(choose);
    this.draw();
  }

  // Ids of the pictures that are drawn.
  get drawn() {
    return this.groups.filter((_, place) => this.shown[place]).flatMap((group) => group.ids);
  }

  idOf({ curveNumber, pointNumber }) {
    return this.groups[curveNumber]?.ids[pointNumber];
  }

  pick(ids) {
    this.picked = ids.length ? new Set(ids) : null;
    const heading = ids.length === 1 ? "1 picture selected" : `${ids.length.toLocaleString("en-GB")} pictures selected`;
    if (ids.length) this.list.show(ids, heading, true);
    else this.showNeighbours();
    this.heard.textContent = ids.length ? heading : "Nothing selected";
    this.draw();
  }

  showNeighbours() {
    this.list.show(this.neighbours, "Its nearest neighbours", false);
  }

  fit() {
    const { width, height } = this.drawnSize;
    if (width !== this.size.width || height !== this.size.height) this.draw();
  }

  look(view) {
    this.view = view;
    return this.plotly.relayout(this.points, view.ranges(this.size));
  }

  // The keyboard's cursor to a picture, which is brought into view.
  goTo(id) {
    if (id === null) return;
    this.cursor = id;
    if (!this.view.holds(this.place(id), this.size)) this.look(new View(this.place(id), this.view.scale));
    this.card.show(id, this.view.pixel(this.place(id), this.size), true);
    this.heard.textContent = this.describe(id) + (this.picked?.has(id) ? ", selected" : "");
  }

  leave() {
    this.cursor = null;
    this.card.hide();
  }
}
