// What is seen of the picture under the pointer, or under the keyboard's cursor: its thumbnail, close to its point.

const WAIT = 60; // milliseconds that a pointer rests before a thumbnail is asked for
const GAP = 14; // pixels

export class Card {
  constructor(plot, describe) {
    this.plot = plot;
    this.card = plot.querySelector(".map-card");
    this.ring = plot.querySelector(".map-cursor");
    this.describe = describe;
  }

  // `held` where the keyboard's cursor stands there.
  show(id, [left, top], held) {
    clearTimeout(this.waiting);
    this.card.hidden = false;
    this.card.querySelector("span").textContent = this.describe(id);
    const picture = this.card.querySelector("img");
    picture.removeAttribute("src");
    this.waiting = setTimeout(() => { picture.src = `/api/v1/images/${id}/thumbnail`; }, held ? 0 : WAIT);
    this.place(left, top);
    this.ring.hidden = !held;
    this.ring.style.transform = `translate(${left}px, ${top}px)`;
  }

  hide() {
    clearTimeout(this.waiting);
    this.card.hidden = true;
    this.ring.hidden = true;
  }

  // Beside the point, on the side where there is room.
  place(left, top) {
    const { clientWidth: width, clientHeight: height } = this.plot;
    const { offsetWidth: wide, offsetHeight: high } = this.card;
    const x = left + GAP + wide <= width ? left + GAP : Math.max(0, left - GAP - wide);
    const y = top + GAP + high <= height ? top + GAP : Math.max(0, top - GAP - high);
    this.card.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
  }
}
