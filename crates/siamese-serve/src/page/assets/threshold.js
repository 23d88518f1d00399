// What other thresholds would have cost on the test pairs of the model's run: the stored operating points, none between.

import { by, fill, h, number } from "./dom.js";
import { numbers, percent } from "./verdict.js";

export function threshold({ judged, threshold: fitted }) {
  if (!judged) return;
  const { points, pairs } = judged;
  const slider = by("threshold");
  const nearest = (value) => points.reduce((best, point, at) => (Math.abs(point.threshold - value) < Math.abs(points[best].threshold - value) ? at : best), 0);
  const own = fitted ? nearest(fitted.value) : Math.floor(points.length / 2);
  const show = () => {
    const point = points[slider.value];
    const said = `distance ${number(point.threshold)}`;
    slider.setAttribute("aria-valuetext", said);
    const isOwn = Number(slider.value) === own && fitted;
    fill(
      by("cost"),
      numbers([["threshold", number(point.threshold)], ["unlike pairs called the same", percent(point.far)], ["like pairs called different", percent(point.frr)]]),
      h("div", { class: "costs", "aria-hidden": "true", vars: { "--far": `${100 * point.far}%`, "--frr": `${100 * point.frr}%` } }, h("span", { class: "far" }), h("span", { class: "frr" })),
      h("p", { class: "soft" }, isOwn ? `The model's own threshold, fitted to ${fitted.target}. ` : "", `On ${pairs} test pairs.`),
    );
  };
  slider.max = points.length - 1;
  slider.value = own;
  slider.addEventListener("input", show);
  show();
  by("costs").hidden = false;
}
