// A picture with the places where it agrees with another drawn over it.

import { h } from "./dom.js";

const AGREE = [38, 110, 235];
const DIFFER = [240, 110, 10];

/** Draws once the picture is here; `most` is the effect that is drawn strongest. */
export function heat({ seen, rows, columns, effect }, most, alt) {
  const canvas = h("canvas", { class: "heat", role: "img", "aria-label": alt });
  const image = new Image();
  image.onload = () => {
    const scale = Math.max(1, Math.round(320 / image.width));
    canvas.width = image.width * scale;
    canvas.height = image.height * scale;
    const context = canvas.getContext("2d");
    context.filter = "grayscale(0.7)";
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    context.filter = "none";
    context.imageSmoothingQuality = "high";
    context.drawImage(cells(rows, columns, effect, most), 0, 0, canvas.width, canvas.height);
  };
  image.src = seen;
  return canvas;
}

function cells(rows, columns, effect, most) {
  const small = h("canvas", { width: columns, height: rows });
  const context = small.getContext("2d");
  const pixels = context.createImageData(columns, rows);
  effect.forEach((value, at) => {
    const strength = Math.min(1, Math.abs(value) / (most || 1));
    pixels.data.set([...(value > 0 ? AGREE : DIFFER), 190 * strength ** 0.8], 4 * at);
  });
  context.putImageData(pixels, 0, 0);
  return small;
}
