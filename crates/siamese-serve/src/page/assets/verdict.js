// A verdict: the word, the gauge, the numbers, and what to be wary of.

import { h, number } from "./dom.js";

/** A distance on a scale, with the threshold on it; below it means alike. */
export function gauge(distance, threshold) {
  const end = Math.max(distance * 1.15, threshold ? threshold * 2 : 0) || 1;
  const share = (value) => `${Math.min(100, (100 * value) / end).toFixed(2)}%`;
  const said = threshold ? `distance ${number(distance)}, threshold ${number(threshold)}` : `distance ${number(distance)}`;
  const vars = { "--at": share(distance), "--threshold": share(threshold ?? end) };
  return h(
    "div",
    { class: threshold ? "gauge" : "gauge plain", role: "img", "aria-label": said, vars },
    h("div", { class: "bar" }),
    threshold ? h("div", { class: "limit" }) : null,
    h("div", { class: "dot" }),
    h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, "alike"), threshold ? h("span", { class: "at-limit" }, "threshold") : null, h("span", {}, "unlike")),
  );
}

export function numbers(rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined);
  return h("dl", { class: "numbers" }, shown.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

export const percent = (share) => (share === null || share === undefined ? null : `${(100 * share).toFixed(1)} %`);

export const word = (kind, text) => h("p", { class: `word ${kind}` }, h("span", { class: "mark", "aria-hidden": "true", "data-mark": { same: "✓", different: "✕", unknown: "?" }[kind] ?? "·" }), text);

/** Pictures that are unlike what the model knows. */
export const wary = (name, why) => h("p", { class: "note wary" }, h("strong", {}, `${name} is unlike what the model was trained on. `), `${why[0].toUpperCase()}${why.slice(1)}: the answer may mean nothing.`);

/** All that is said of two pictures. */
export function verdict(answer) {
  const { same, distance, threshold, probability, strange } = answer;
  const kind = same === null ? "neither" : same ? "same" : "different";
  const text = { same: "The same", different: "Different", neither: "The model has no threshold" }[kind];
  const warnings = strange.map((why, at) => (why ? wary(at ? answer.second : answer.first, why) : null));
  return h(
    "div",
    { class: "card verdict" },
    word(kind, text),
    gauge(distance, threshold),
    numbers([["distance", number(distance)], ["threshold", threshold === null ? null : number(threshold)], ["probability of same", percent(probability)]]),
    against(same, probability),
    ...warnings,
  );
}

/** A threshold that was not fitted to even odds may say otherwise than the probability. */
function against(same, probability) {
  if (probability === null || same === null || same === probability > 0.5) return null;
  return h("p", { class: "soft" }, `The threshold is ${same ? "laxer" : "stricter"} than even odds: it was fitted so.`);
}
