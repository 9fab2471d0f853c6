// Arithmetic of the map: which part of it is in view, and which picture comes next in a direction.

const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

export const isArrow = (key) => key in WAYS;

// The least rectangle around places: [left, bottom, right, top].
export function bounds(places) {
  const box = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [x, y] of places) {
    box[0] = Math.min(box[0], x);
    box[1] = Math.min(box[1], y);
    box[2] = Math.max(box[2], x);
    box[3] = Math.max(box[3], y);
  }
  return box;
}

// A part of the plane, as long in one direction as in the other: its centre, and map units to a pixel of the screen.
export class View {
  constructor(centre, scale) {
    this.centre = centre;
    this.scale = scale;
  }

  // All of a rectangle with some room around it, at least `least` wide.
  static around([left, bottom, right, top], { width, height }, least = 0) {
    const scale = 1.12 * Math.max(Math.max(right - left, least) / width, Math.max(top - bottom, least) / height);
    return new View([(left + right) / 2, (bottom + top) / 2], scale || 1 / Math.min(width, height));
  }

  static of(layout, { width }) {
    const [x, y] = [layout.xaxis.range, layout.yaxis.range];
    return new View([(x[0] + x[1]) / 2, (y[0] + y[1]) / 2], (x[1] - x[0]) / width);
  }

  zoomed(factor) {
    return new View(this.centre, this.scale * factor);
  }

  ranges({ width, height }) {
    const [[x, y], across, up] = [this.centre, (this.scale * width) / 2, (this.scale * height) / 2];
    return { "xaxis.range": [x - across, x + across], "yaxis.range": [y - up, y + up] };
  }

  // Pixels from the left and from the top.
  pixel([x, y], { width, height }) {
    return [width / 2 + (x - this.centre[0]) / this.scale, height / 2 - (y - this.centre[1]) / this.scale];
  }

  holds(place, size) {
    const [left, top] = this.pixel(place, size);
    return left >= 0 && top >= 0 && left <= size.width && top <= size.height;
  }
}

// The id of the picture nearest to a place; null where there is none.
export function nearest(data, [x, y], ids) {
  return least(ids, (id) => Math.hypot(data.x[id] - x, data.y[id] - y));
}

// The id of the next picture in the direction of an arrow key: near, and rather ahead than aside.
export function next(data, from, key, ids) {
  const [right, up] = WAYS[key];
  return least(ids, (id) => {
    const [x, y] = [data.x[id] - data.x[from], data.y[id] - data.y[from]];
    const ahead = x * right + y * up;
    const aside = Math.abs(x * up) + Math.abs(y * right);
    return ahead > 0 && aside <= ahead ? ahead + 2 * aside : Infinity;
  });
}

function least(ids, cost) {
  let [best, price] = [null, Infinity];
  for (const id of ids) {
    const asked = cost(id);
    if (asked < price) [best, price] = [id, asked];
  }
  return best;
}
