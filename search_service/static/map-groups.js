// Pictures in groups of one colour, and how each is drawn: hue and shape together tell groups apart, so that nobody
// has to tell twenty hues.

const LIGHT = ["#1f6fc5", "#d45f00", "#178a56", "#a23fb5", "#d22c3f", "#0790a8", "#7c7500", "#dc559c", "#7d5a3c", "#3d4a66"];
const DARK = ["#6aa9f5", "#ffa24d", "#4fcf8a", "#d08df0", "#ff7b7b", "#45cfe2", "#d9d250", "#ff9fd2", "#c9a184", "#c3cbe0"];
const NONE = { light: "#8b8f9c", dark: "#6b7183" };
const SHAPES = ["circle", "diamond", "square", "triangle-up", "cross"];
const OUTLINES = {
  circle: "M7 2a5 5 0 1 0 .01 0z", diamond: "M7 1l6 6-6 6-6-6z", square: "M2 2h10v10H2z",
  "triangle-up": "M7 1.5l6 11H1z", cross: "M5 1h4v4h4v4H9v4H5V9H1V5h4z",
};
const WRONG_FIRST = ["wrong", "right"];
const NAMELESS = { class: "not annotated", split: "in no split", localized: "not tested" };

export const WAYS = Object.keys(NAMELESS);

// Whether a way of colouring tells anything.
export const tells = (data, way) => data[way].some((number) => number >= 0);

// [{name, ids, hue, shape}]: one for each class, split or verdict that a picture has, those without one last.
export function groupBy(data, way) {
  const names = { class: data.classes, split: data.splits, localized: WRONG_FIRST }[way];
  const held = names.map(() => []);
  const rest = [];
  data[way].forEach((number, id) => (held[number] ?? rest).push(id));
  const largest = names.map((_, number) => number).sort((one, other) => held[other].length - held[one].length);
  const groups = names.map((name, number) => ({ name, ids: held[number], ...look(way, number, largest.indexOf(number)) }));
  groups.push({ name: NAMELESS[way], ids: rest, hue: null, shape: "circle" });
  return groups.filter((group) => group.ids.length);
}

// The first hues are the ones best told apart: they go to the groups with the most pictures.
function look(way, number, rank) {
  if (way === "localized") return number ? { hue: 0, shape: "circle" } : { hue: 1, shape: "diamond" };
  return { hue: rank % LIGHT.length, shape: SHAPES[Math.floor(rank / LIGHT.length) % SHAPES.length] };
}

export function colourOf(group, dark) {
  if (group.hue === null) return dark ? NONE.dark : NONE.light;
  return (dark ? DARK : LIGHT)[group.hue];
}

// A plotly trace; `picked` are the ids that stand out, null for none.
export function trace(group, data, { dark, picked, shown, type }) {
  const count = data.x.length;
  const size = count > 5000 ? 5 : count > 500 ? 8 : 11;
  const at = picked && group.ids.flatMap((id, place) => (picked.has(id) ? [place] : []));
  return {
    type,
    mode: "markers",
    name: group.name,
    x: group.ids.map((id) => data.x[id]),
    y: group.ids.map((id) => data.y[id]),
    visible: shown,
    hoverinfo: "none",
    marker: { color: colourOf(group, dark), symbol: group.shape, size, opacity: 0.85, line: { width: 0 } },
    selectedpoints: at,
    selected: { marker: { opacity: 1 } }, // of no other size: plotly would forget their shapes
    unselected: { marker: { opacity: 0.15 } },
  };
}

// Rings or a star around places; nothing that can be pointed at.
export function marks(places, marker, type) {
  return {
    type, mode: "markers", hoverinfo: "skip", marker,
    x: places.map(([x]) => x), y: places.map(([, y]) => y),
    unselected: { marker: { opacity: 1 } },
  };
}

// The shape of a group beside its name.
export function swatch(group, dark) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  svg.setAttribute("viewBox", "0 0 14 14");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", OUTLINES[group.shape]);
  path.setAttribute("fill", colourOf(group, dark));
  svg.append(path);
  return svg;
}
