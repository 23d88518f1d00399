// Who or what is it: the nearest classes of the gallery, or the nearest pictures.

import { form, picture, post } from "./api.js";
import { by, count, failed, fill, h, number, working } from "./dom.js";
import { Field } from "./field.js";
import { gauge, numbers, percent, wary, word } from "./verdict.js";

export function identify(enrolled) {
  if (!by("probe")) return;
  const looked = () => document.querySelector("input[name=look]:checked").value;
  const ask = () => answer(field, looked(), enrolled);
  const field = new Field("probe", ask);
  for (const radio of document.querySelectorAll("input[name=look]")) radio.addEventListener("change", ask);
}

let latest = 0;

async function answer(field, look, enrolled) {
  const { file } = field;
  const turn = ++latest;
  const result = by("identified");
  if (!file) return fill(result);
  fill(result, working("Looking…"));
  try {
    const { answers } = await post(look === "search" ? "search?k=12" : "identify?k=5", form({ image: file }));
    if (turn !== latest) return;
    field.mark(answers.map((one) => one.box).filter(Boolean));
    const name = (at) => (answers.length > 1 ? h("p", { class: "soft" }, `In box ${at + 1}`) : null);
    const shown = answers.flatMap((one, at) => [name(at), look === "search" ? pictures(one) : classes(one)]);
    fill(result, shown.length ? shown : h("p", { class: "note" }, "There is nothing in the picture to look for."), enrolHere(file, enrolled));
  } catch (error) {
    if (turn === latest) fill(result, failed(error));
  }
}

function classes({ known, class: name, distance, threshold, probability, matches, strange }) {
  if (!matches.length) return h("p", { class: "note" }, "The gallery is empty. Enrol somebody first.");
  const kind = known === null ? "neither" : known ? "same" : "unknown";
  const nearest = matches[0].class;
  return h(
    "div",
    { class: "card verdict" },
    word(kind, known === false ? "Unknown" : name),
    known === false ? h("p", { class: "soft" }, `Nearest is ${nearest}, but not near enough.`) : null,
    gauge(distance, threshold),
    numbers([["distance", number(distance)], ["unknown from", threshold === null ? null : number(threshold)], ["probability of same", percent(probability)]]),
    strange ? wary("The picture", strange) : null,
    h("h2", {}, "Nearest"),
    list(matches),
  );
}

const pictures = ({ matches }) => (matches.length ? h("div", { class: "card" }, list(matches)) : h("p", { class: "note" }, "The gallery is empty."));

function list(matches) {
  const far = Math.max(...matches.map((near) => near.distance)) || 1;
  return h(
    "ol",
    { class: "matches" },
    matches.map((near) =>
      h(
        "li",
        {},
        picture(near.id),
        h("div", {}, h("strong", {}, near.class), h("span", { class: "soft file" }, near.name)),
        h("span", { class: "near" }, number(near.distance), h("span", { class: "short", vars: { "--at": `${Math.max(3, (100 * near.distance) / far)}%` }, "aria-hidden": "true" })),
      ),
    ),
  );
}

/** A picture that was just asked about is often one to keep. */
function enrolHere(file, enrolled) {
  const said = h("div", { "aria-live": "polite" });
  const name = h("input", { "aria-label": "Name to enrol this picture under", placeholder: "Name", autocomplete: "off", maxlength: 200, required: true, list: "class-names" });
  const submit = async (event) => {
    event.preventDefault();
    fill(said, working("Enrolling…"));
    try {
      const { entries } = await post("gallery/entries", form({ class: name.value, image: file }));
      fill(said, enrolledNote(entries));
      enrolled();
    } catch (error) {
      fill(said, failed(error));
    }
  };
  return h("form", { class: "row here", onsubmit: submit }, h("span", { class: "soft" }, "Keep this picture as"), name, h("button", {}, "Enrol"), said);
}

export function enrolledNote(entries) {
  const known = entries.filter((entry) => entry.known);
  const fresh = entries.length - known.length;
  const strange = entries.filter((entry) => entry.strange);
  return h(
    "div",
    { class: "note good" },
    h("p", {}, `${count(fresh, "picture", "pictures")} enrolled`, known.length ? `, ${known.length} there already: ${known.map((entry) => `${entry.name} (${entry.class})`).join(", ")}` : "", "."),
    ...strange.map((entry) => wary(entry.name, entry.strange)),
  );
}
