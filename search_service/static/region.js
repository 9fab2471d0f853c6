// Drawing a region on a picture: by mouse at once, by touch and keyboard after "Draw a region".

const SVG = "http://www.w3.org/2000/svg";
const LEAST = 8; // pixels of the screen: below it, it was a click
const STEP = 0.02; // of the picture's side, by one press of an arrow key

class Drawing {
  constructor(figure) {
    this.frame = figure.querySelector(".drawable");
    this.form = figure.querySelector("form.region");
    this.field = this.form.elements.box;
    this.toggle = this.form.querySelector(".draw");
    this.svg = this.frame.querySelector("svg");
    this.size = [Number(this.frame.dataset.width), Number(this.frame.dataset.height)];
    this.toggle.addEventListener("click", () => this.arm(this.toggle.getAttribute("aria-pressed") !== "true"));
    this.field.addEventListener("input", () => this.show());
    this.frame.addEventListener("pointerdown", (event) => this.begin(event));
    this.frame.addEventListener("keydown", (event) => this.press(event));
    this.frame.addEventListener("dragstart", (event) => event.preventDefault());
    this.svg.addEventListener("click", (event) => this.click(event));
    this.show();
  }

  get corners() {
    const corners = this.field.value.split(",").map(Number);
    return corners.length === 4 && corners.every(Number.isFinite) ? corners : null;
  }

  set corners([left, top, right, bottom]) {
    const [width, height] = this.size;
    const within = (value, most) => Math.round(Math.min(Math.max(value, 0), most));
    this.field.value = [within(left, width), within(top, height), within(right, width), within(bottom, height)].join(", ");
    this.show();
  }

  // Arrow keys move the region then, and a finger draws instead of scrolling.
  arm(on) {
    this.toggle.setAttribute("aria-pressed", on);
    this.frame.classList.toggle("armed", on);
    if (!on) {
      this.frame.removeAttribute("tabindex");
      return;
    }
    const [width, height] = this.size;
    if (!this.corners) this.corners = [width / 4, height / 4, (3 * width) / 4, (3 * height) / 4];
    this.frame.tabIndex = 0;
    this.frame.setAttribute("role", "application");
    this.frame.setAttribute("aria-label", "Region: arrows move it, with Shift they size it, Enter searches, Escape ends");
    this.frame.focus();
  }

  show() {
    let box = this.svg.querySelector(".region-box");
    if (!this.corners) {
      box?.remove();
      return;
    }
    if (!box) {
      box = document.createElementNS(SVG, "rect");
      box.classList.add("region-box");
      this.svg.append(box);
    }
    const [left, top, right, bottom] = this.corners;
    const shape = { x: left, y: top, width: Math.max(right - left, 1), height: Math.max(bottom - top, 1) };
    for (const [name, value] of Object.entries(shape)) box.setAttribute(name, value);
  }

  place(event) {
    const frame = this.frame.getBoundingClientRect();
    return [
      ((event.clientX - frame.left) / frame.width) * this.size[0],
      ((event.clientY - frame.top) / frame.height) * this.size[1],
    ];
  }

  begin(event) {
    if (event.button !== 0 || (event.pointerType === "touch" && !this.frame.classList.contains("armed"))) return;
    const [x, y] = this.place(event);
    const start = [event.clientX, event.clientY];
    this.drawn = false;
    const move = (next) => {
      if (!this.drawn && Math.hypot(next.clientX - start[0], next.clientY - start[1]) < LEAST) return;
      this.drawn = true;
      const [left, top] = this.place(next);
      this.corners = [Math.min(x, left), Math.min(y, top), Math.max(x, left), Math.max(y, top)];
    };
    const end = () => {
      window.removeEventListener("pointermove", move);
      if (this.drawn) this.form.querySelector("button[type=submit]").focus();
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end, { once: true });
    window.addEventListener("pointercancel", end, { once: true });
  }

  // A click that ends a drawing follows no link; one on a box without a link searches with it.
  click(event) {
    if (this.drawn) {
      event.preventDefault();
      this.drawn = false;
      return;
    }
    const box = event.target.closest("[data-box]");
    if (!box || box.closest("a")) return;
    this.corners = box.dataset.box.split(",").map(Number);
    this.form.requestSubmit();
  }

  press(event) {
    if (!this.corners || event.target !== this.frame) return;
    const [left, top, right, bottom] = this.corners;
    const [across, down] = this.size.map((side) => Math.max(1, side * STEP));
    const [x, y] = { ArrowLeft: [-across, 0], ArrowRight: [across, 0], ArrowUp: [0, -down], ArrowDown: [0, down] }[event.key] ?? [0, 0];
    if (event.key === "Enter") this.form.requestSubmit();
    else if (event.key === "Escape") this.arm(false);
    else if (!x && !y) return;
    else if (event.shiftKey) this.corners = [left, top, Math.max(left + across, right + x), Math.max(top + down, bottom + y)];
    else this.corners = this.moved(x, y);
    event.preventDefault();
  }

  moved(x, y) {
    const [left, top, right, bottom] = this.corners;
    const across = Math.min(Math.max(x, -left), this.size[0] - right);
    const down = Math.min(Math.max(y, -top), this.size[1] - bottom);
    return [left + across, top + down, right + across, bottom + down];
  }
}

for (const figure of document.querySelectorAll("figure.large[data-reference]")) new Drawing(figure);
