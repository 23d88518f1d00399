// The gallery: enrol, browse, rename, remove, and its map.

import { call, form, picture, post, postJson } from "./api.js";
import { by, count, failed, fill, h, number, working } from "./dom.js";
import { enrolledNote } from "./identify.js";
import { Plane } from "./map.js";

const PAGE = 60;

let plane = null;
let chosen = null;
let stale = true;

/** Whoever enrols elsewhere says so by what this returns. */
export function gallery() {
  if (!by("enrol")) return { show() {}, changed() {} };
  plane = new Plane(by("map"), by("tip"), (name) => choose(name, true));
  for (const [id, factor] of [["zoom-in", 1.5], ["zoom-out", 1 / 1.5]]) by(id).addEventListener("click", () => plane.zoom(factor));
  by("zoom-all").addEventListener("click", () => plane.all());
  by("enrol").addEventListener("submit", enrol);
  by("filter").addEventListener("input", () => filter(by("filter").value));
  const changed = () => {
    stale = true;
    names();
  };
  names();
  return { show: () => stale && refresh(), changed };
}

/** Names of classes, for those who type one. */
async function names() {
  try {
    const classes = await call("gallery/classes");
    fill(by("class-names"), classes.map((one) => h("option", { value: one.class })));
  } catch {
    // they only help
  }
}

async function refresh() {
  stale = false;
  try {
    const [info, classes] = await Promise.all([call("gallery"), call("gallery/classes")]);
    const from = info.threshold === null ? "nobody is called unknown" : `unknown from distance ${number(info.threshold)}`;
    fill(by("info"), h("span", { title: info.threshold_is }, `${count(info.entries, "picture", "pictures")} of ${count(info.classes, "class", "classes")} · ${from}`));
    fill(by("class-names"), classes.map((one) => h("option", { value: one.class })));
    fill(by("classes"), classes.map(chip), classes.length ? null : h("p", { class: "soft" }, "Nothing is enrolled yet."));
    filter(by("filter").value);
    const still = classes.some((one) => one.class === chosen);
    await choose(still ? chosen : classes[0]?.class);
    await drawMap();
  } catch (error) {
    fill(by("info"), failed(error));
  }
}

const chip = ({ class: name, entries }) =>
  h("button", { type: "button", class: "chip", "data-class": name, "aria-pressed": "false", onclick: () => choose(name) }, name, h("span", { class: "soft" }, ` ${entries}`));

function filter(text) {
  const wanted = text.trim().toLowerCase();
  for (const chip of by("classes").querySelectorAll(".chip")) chip.hidden = !chip.dataset.class.toLowerCase().includes(wanted);
}

async function drawMap() {
  by("map-note").textContent = "drawing…";
  const map = await call("gallery/map");
  const part = map.of > map.points.length ? `${map.points.length} of ${map.of} pictures` : count(map.of, "picture", "pictures");
  by("map-note").textContent = map.points.length ? `${part} · ${map.method} · near means alike` : "nothing to show yet";
  plane.set(map.points);
}

async function choose(name, moved) {
  chosen = name;
  for (const chip of by("classes").querySelectorAll(".chip")) chip.setAttribute("aria-pressed", chip.dataset.class === name);
  plane.mark(name);
  const place = by("class");
  if (name === undefined) return fill(place);
  const grid = h("ul", { class: "grid" });
  const more = h("button", { type: "button", hidden: true }, "Show more");
  fill(place, h("div", { class: "head" }, h("h3", {}, name), h("div", { class: "row end" }, button("Rename", () => rename(name)), button("Remove all", () => removeClass(name)))), grid, more);
  if (moved) place.scrollIntoView({ block: "nearest", behavior: "smooth" });
  let after = 0;
  const page = async () => {
    more.hidden = true;
    try {
      const { entries, next } = await call(`gallery/entries?${new URLSearchParams({ class: name, after, limit: PAGE })}`);
      grid.append(...entries.map(tile));
      after = next;
      more.hidden = next === null;
    } catch (error) {
      place.append(failed(error));
    }
  };
  more.addEventListener("click", page);
  await page();
}

const button = (text, act) => h("button", { type: "button", onclick: act }, text);

function tile(entry) {
  const remove = async () => {
    if (!(await ask(`Remove ${entry.name} from ${entry.class}?`, "Remove"))) return;
    await change(() => call(`gallery/entries/${entry.id}`, { method: "DELETE" }));
  };
  const when = entry.time ? `, enrolled ${new Date(1000 * entry.time).toLocaleDateString()}` : "";
  return h("li", { title: `${entry.name}${when}` }, picture(entry.id, entry.name), h("button", { type: "button", class: "away", "aria-label": `Remove ${entry.name}`, onclick: remove }, "×"));
}

async function rename(name) {
  const to = await ask(`Rename ${name}`, "Rename", name);
  if (!to || to === name) return;
  await change(() => postJson("gallery/rename", { from: name, to }), to);
}

async function removeClass(name) {
  if (!(await ask(`Remove ${name} with all its pictures?`, "Remove"))) return;
  await change(() => call(`gallery/classes?${new URLSearchParams({ class: name })}`, { method: "DELETE" }));
}

async function change(act, then = chosen) {
  try {
    await act();
    chosen = then;
    await refresh();
  } catch (error) {
    by("class").append(failed(error));
  }
}

async function enrol(event) {
  event.preventDefault();
  const said = by("enrolled");
  const name = by("enrol-class").value;
  const files = [...by("enrol-images").files];
  const entries = [];
  try {
    // one at a time: a phone's pictures are large, and one that cannot be read must not keep the others out
    const failures = [];
    for (const [at, image] of files.entries()) {
      fill(said, working(`Enrolling ${at + 1} of ${files.length}…`));
      try {
        entries.push(...(await post("gallery/entries", form({ class: name, image }))).entries);
      } catch (error) {
        failures.push(error);
      }
    }
    fill(said, entries.length ? enrolledNote(entries) : null, failures.map(failed));
    if (entries.length) {
      by("enrol").reset();
      chosen = name.trim();
      await refresh();
    }
  } catch (error) {
    fill(said, failed(error));
  }
}

/** Asks for a yes, or for a text where one is given; "" where it was thought better of. */
function ask(title, yes, text) {
  const [dialog, input] = [by("ask"), by("ask-text")];
  by("ask-title").textContent = title;
  by("ask-yes").textContent = yes;
  input.hidden = by("ask-label").hidden = text === undefined;
  input.required = text !== undefined;
  input.value = text ?? "";
  dialog.returnValue = "";
  dialog.showModal();
  return new Promise((done) => {
    dialog.onclose = () => done(dialog.returnValue && (text === undefined ? "yes" : input.value.trim()));
  });
}
