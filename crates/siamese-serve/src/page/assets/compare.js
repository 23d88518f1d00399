// Compare: two pictures, one verdict, and where they agree.

import { form, post } from "./api.js";
import { by, failed, fill, h, working } from "./dom.js";
import { Field } from "./field.js";
import { heat } from "./heat.js";
import { verdict } from "./verdict.js";

export function compare() {
  const changed = () => judge(a.file, b.file);
  const a = new Field("a", changed);
  const b = new Field("b", changed);
}

let latest = 0;

async function judge(a, b) {
  const turn = ++latest;
  const [result, why] = [by("compared"), by("explained")];
  fill(why);
  if (!a || !b) {
    fill(result);
    return;
  }
  fill(result, working("Comparing…"));
  try {
    const answer = await post("verify", form({ a, b }));
    if (turn !== latest) return;
    fill(result, verdict(answer));
    fill(why, h("button", { class: "explain", type: "button", onclick: () => explain(a, b, why) }, "Show where they agree and differ"));
  } catch (error) {
    if (turn === latest) fill(result, failed(error));
  }
}

async function explain(a, b, why) {
  const turn = latest;
  fill(why, working("Covering one part after another…"));
  try {
    const { explanation, threshold, distance } = await post("verify?explain=true", form({ a, b }));
    if (turn !== latest) return;
    // what hardly changes the distance is not drawn as if it did
    const least = 0.02 * (threshold ?? distance);
    const most = Math.max(least, ...explanation.flatMap((one) => one.effect.map(Math.abs)));
    const names = ["One picture", "Another"];
    const pictures = explanation.map((one, at) => h("figure", {}, heat(one, most, said(names[at], one)), h("figcaption", { class: "soft" }, names[at])));
    fill(
      why,
      h("div", { class: "card" }, h("h2", {}, "Where they agree and differ"), h("div", { class: "pair" }, pictures), legend(), h("p", { class: "soft" }, "As the model sees them. Covering a blue part moves the two apart, covering an orange part brings them nearer.")),
    );
  } catch (error) {
    if (turn === latest) fill(why, failed(error));
  }
}

const legend = () => h("p", { class: "legend" }, h("span", { class: "key agree" }), "agree", h("span", { class: "key differ" }), "differ");

/** What a heat map shows, in words. */
function said(name, { rows, columns, effect }) {
  const place = (at) => {
    const [row, column] = [Math.floor(at / columns) / (rows - 1), (at % columns) / (columns - 1)];
    const third = (x, words) => words[Math.min(2, Math.floor(3 * x))];
    return `${third(row, ["top", "middle", "bottom"])} ${third(column, ["left", "centre", "right"])}`;
  };
  const most = effect.indexOf(Math.max(...effect));
  const least = effect.indexOf(Math.min(...effect));
  const agree = effect[most] > 0 ? `agrees most at the ${place(most)}` : "agrees nowhere";
  const differ = effect[least] < 0 ? `differs most at the ${place(least)}` : "differs nowhere";
  return `${name}: ${agree}, ${differ}`;
}
