// A labelled folder looked through: what `data check` finds comes first, then class by class.

import { call, postJson, send, takeToken } from "./api.js";
import { by, count, failed, fill, h } from "./dom.js";

/** Pictures of a class that are shown before one asks for more. */
const SHOWN = 120;

takeToken();

let crops = new Map();
const chosen = new Set();

try {
  const { classes, crops: all, moves } = await call("review");
  crops = new Map(all.map((crop) => [crop.id, crop]));
  fill(by("to"), classes.map((name) => h("option", { value: name }, name)));
  draw(classes);
  tally(moves);
} catch (error) {
  fill(by("said"), failed(error));
}

const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    load(target);
  }
}, { rootMargin: "400px" });
for (const image of document.querySelectorAll(".crop img")) seen.observe(image);

async function load(image) {
  const response = await send(`review/${image.dataset.id}/picture`);
  if (response.ok) image.src = URL.createObjectURL(await response.blob());
  else image.classList.add("none");
}

function draw(classes) {
  const found = [...crops.values()].filter((crop) => crop.finding);
  const parts = found.length ? [part("To be looked at first", found)] : [];
  for (const name of classes) parts.push(part(name, [...crops.values()].filter((crop) => crop.class === name)));
  fill(by("crops"), parts);
}

function part(name, own) {
  const grid = h("div", { class: "crops", role: "group", "aria-label": name }, own.slice(0, SHOWN).map(tile));
  const rest = own.slice(SHOWN);
  const more = h("button", { type: "button", hidden: !rest.length }, `Show ${rest.length} more`);
  more.addEventListener("click", () => {
    const tiles = rest.map(tile);
    grid.append(...tiles);
    tiles.forEach((one) => seen.observe(one.querySelector("img")));
    more.remove();
  });
  return h("section", { class: "card" }, h("div", { class: "head" }, h("h2", {}, name), h("span", { class: "soft" }, count(own.length, "picture", "pictures"))), grid, more);
}

function tile(crop) {
  const file = crop.name.split("/").at(-1);
  return h(
    "button",
    { type: "button", class: "crop", "data-id": crop.id, "aria-pressed": "false", title: crop.name, onclick: () => choose(crop.id) },
    h("img", { alt: crop.name, "data-id": crop.id }),
    h("span", { class: "soft" }, crop.finding ? `${crop.class ?? "discarded"}/${file}: ${crop.finding}` : file),
    h("span", { class: "gone soft" }),
  );
}

const tiles = (id) => document.querySelectorAll(`.crop[data-id="${id}"]`);

function choose(id, is = !chosen.has(id)) {
  if (is) chosen.add(id);
  else chosen.delete(id);
  for (const tile of tiles(id)) tile.setAttribute("aria-pressed", is);
  by("discard").disabled = by("move").disabled = !chosen.size;
  by("discard").textContent = chosen.size ? `Discard ${chosen.size}` : "Discard";
}

async function put(to) {
  if (!chosen.size) return;
  await change(() => postJson("review/put", { ids: [...chosen], class: to }));
}

async function change(act) {
  try {
    const { crops: changed, moves } = await act();
    fill(by("said"));
    for (const crop of changed) {
      const before = crops.get(crop.id).home ?? crops.get(crop.id).class;
      crops.set(crop.id, { ...crop, home: before });
      choose(crop.id, false);
      const away = crop.class === before ? "" : crop.class === null ? "discarded" : `now ${crop.class}`;
      for (const tile of tiles(crop.id)) {
        tile.classList.toggle("away-now", Boolean(away));
        tile.querySelector(".gone").textContent = away;
      }
    }
    tally(moves);
  } catch (error) {
    fill(by("said"), failed(error));
  }
}

function tally(moves) {
  by("undo").disabled = !moves;
  by("tally").textContent = `${count(crops.size, "picture", "pictures")} · ${count(moves, "move", "moves")}`;
}

by("discard").addEventListener("click", () => put(null));
by("move").addEventListener("click", () => put(by("to").value));
by("undo").addEventListener("click", () => change(() => postJson("review/undo", {})));
document.addEventListener("keydown", (event) => {
  const on = event.target.closest?.("select, input, .crop");
  if (event.ctrlKey || event.metaKey || (on && !on.matches(".crop"))) return;
  const act = { Delete: () => put(null), x: () => put(null), m: () => by("to").focus(), u: () => by("undo").click() }[event.key];
  if (act) {
    event.preventDefault();
    act();
    return;
  }
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step || !on) return;
  const all = [...document.querySelectorAll(".crop")];
  all[all.indexOf(on) + step]?.focus();
  event.preventDefault();
});
