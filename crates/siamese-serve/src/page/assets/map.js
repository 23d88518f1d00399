// The gallery in the plane: drawn on a canvas that is dragged, zoomed and pointed at.

import { picture, thumbnail } from "./api.js";
import { fill, h } from "./dom.js";

/** So many pictures are drawn as such; beyond, as dots. */
const PICTURES = 150;
const SIDE = 34;
const NEAR = 22;
const ROOM = 0.08;

export class Plane {
  constructor(canvas, tip, chosen) {
    Object.assign(this, { canvas, tip, chosen, points: [], images: new Map(), marked: null, view: { x: 0.5, y: 0.5, scale: 1 } });
    this.touches = new Map();
    new ResizeObserver(() => this.fit()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, (event) => this.up(event));
    canvas.addEventListener("pointerleave", () => this.point(null));
    canvas.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.key(event));
  }

  set(points) {
    this.points = points;
    const classes = [...new Set(points.map((point) => point.class))].sort();
    this.hues = new Map(classes.map((name, at) => [name, (at * 137.5) % 360]));
    this.all();
  }

  mark(name) {
    this.marked = name;
    this.draw();
  }

  all() {
    this.view = { x: 0.5, y: 0.5, scale: 1 };
    this.draw();
  }

  fit() {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(height * ratio);
    this.draw();
  }

  /** Pixels of a unit of the map. */
  get unit() {
    return Math.min(this.canvas.clientWidth, this.canvas.clientHeight) * (1 - 2 * ROOM) * this.view.scale;
  }

  place(point) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    return [width / 2 + (point.x - this.view.x) * this.unit, height / 2 + (point.y - this.view.y) * this.unit];
  }

  zoom(factor, at) {
    const { clientWidth: width, clientHeight: height } = this.canvas;
    const [x, y] = at ?? [width / 2, height / 2];
    const before = this.unit;
    this.view.scale = Math.min(40, Math.max(0.5, this.view.scale * factor));
    const share = 1 / before - 1 / this.unit;
    this.view.x += (x - width / 2) * share;
    this.view.y += (y - height / 2) * share;
    this.draw();
  }

  pan(x, y) {
    this.view.x -= x / this.unit;
    this.view.y -= y / this.unit;
    this.draw();
  }

  draw() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.paint());
  }

  paint() {
    const context = this.canvas.getContext("2d");
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = this.canvas;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const seen = this.points.map((point) => [point, ...this.place(point)]).filter(([, x, y]) => x > -SIDE && y > -SIDE && x < width + SIDE && y < height + SIDE);
    // what is marked lies on top
    seen.sort(([a], [b]) => (a.class === this.marked) - (b.class === this.marked));
    const small = seen.length > PICTURES;
    for (const [point, x, y] of seen) {
      const colour = `hsl(${this.hues.get(point.class)} ${dark ? "70% 66%" : "62% 42%"})`;
      const isMarked = point.class === this.marked;
      const image = small ? null : this.image(point.id);
      context.globalAlpha = this.marked && !isMarked ? 0.75 : 1;
      if (image) thumb(context, image, x, y, colour, isMarked);
      else dot(context, x, y, colour, isMarked ? 7 : 4.5);
    }
    context.globalAlpha = 1;
  }

  /** The small picture, once it is here. */
  image(id) {
    if (!this.images.has(id)) {
      this.images.set(id, null);
      thumbnail(id).then((address) => {
        if (!address) return;
        const image = new Image();
        image.onload = () => {
          this.images.set(id, image);
          this.draw();
        };
        image.src = address;
      });
    }
    return this.images.get(id);
  }

  nearest(x, y) {
    let best = null;
    let least = NEAR ** 2;
    for (const point of this.points) {
      const [px, py] = this.place(point);
      const away = (px - x) ** 2 + (py - y) ** 2;
      if (away < least) [best, least] = [point, away];
    }
    return best;
  }

  point(point, at) {
    this.canvas.classList.toggle("over", Boolean(point));
    this.tip.hidden = !point;
    if (!point) return;
    if (this.tip.dataset.id !== String(point.id)) {
      this.tip.dataset.id = point.id;
      fill(this.tip, picture(point.id), h("span", {}, point.class));
    }
    const side = at[0] > this.canvas.clientWidth / 2 ? "left" : "right";
    this.tip.dataset.side = side;
    this.tip.style.setProperty("--x", `${at[0]}px`);
    this.tip.style.setProperty("--y", `${at[1]}px`);
  }

  down(event) {
    this.canvas.setPointerCapture(event.pointerId);
    this.touches.set(event.pointerId, [event.offsetX, event.offsetY]);
    this.still = this.touches.size === 1;
  }

  move(event) {
    const at = [event.offsetX, event.offsetY];
    const before = this.touches.get(event.pointerId);
    if (!before) return this.point(this.nearest(...at), at);
    const [dx, dy] = [at[0] - before[0], at[1] - before[1]];
    if (this.still && Math.hypot(dx, dy) < 4) return;
    this.still = false;
    this.point(null);
    const other = [...this.touches].find(([id]) => id !== event.pointerId)?.[1];
    this.touches.set(event.pointerId, at);
    if (!other) return this.pan(dx, dy);
    const apart = ([x, y]) => Math.max(1, Math.hypot(x - other[0], y - other[1]));
    this.pan(dx / 2, dy / 2);
    this.zoom(apart(at) / apart(before), [(at[0] + other[0]) / 2, (at[1] + other[1]) / 2]);
  }

  up(event) {
    this.touches.delete(event.pointerId);
    if (!this.still || event.type !== "pointerup") return;
    const at = [event.offsetX, event.offsetY];
    const point = this.nearest(...at);
    this.point(point, at);
    if (point) this.chosen(point.class);
  }

  /** Zooming wants Ctrl where the page itself is scrolled by the wheel. */
  wheel(event) {
    if (!event.ctrlKey && document.activeElement !== this.canvas) return;
    event.preventDefault();
    this.point(null);
    this.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), [event.offsetX, event.offsetY]);
  }

  key(event) {
    const step = 40;
    const pans = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (pans[event.key]) this.pan(...pans[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(1.25);
    else if (event.key === "-") this.zoom(0.8);
    else if (event.key === "0") this.all();
    else return;
    event.preventDefault();
  }
}

function dot(context, x, y, colour, radius) {
  context.beginPath();
  context.arc(x, y, radius, 0, 7);
  context.fillStyle = colour;
  context.fill();
}

function thumb(context, image, x, y, colour, isMarked) {
  const scale = (isMarked ? 1.25 * SIDE : SIDE) / Math.max(image.width, image.height);
  const [width, height] = [image.width * scale, image.height * scale];
  const line = isMarked ? 3 : 2;
  context.fillStyle = colour;
  context.beginPath();
  context.roundRect(x - width / 2 - line, y - height / 2 - line, width + 2 * line, height + 2 * line, 5);
  context.fill();
  context.drawImage(image, x - width / 2, y - height / 2, width, height);
}
