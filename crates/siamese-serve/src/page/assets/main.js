// The page's beginning.

import { call, takeToken } from "./api.js";
import { compare } from "./compare.js";
import { by } from "./dom.js";
import { listenToPaste } from "./field.js";
import { gallery } from "./gallery.js";
import { identify } from "./identify.js";
import { tabs } from "./tabs.js";
import { threshold } from "./threshold.js";

takeToken();
compare();
const people = gallery();
identify(people.changed);
listenToPaste();
tabs(document.querySelector("[role=tablist]"), (name) => name === "gallery" && people.show());

try {
  const model = await call("model");
  const { name, data } = model;
  by("model").textContent = data ? `${name} · learned from ${data}` : name;
  threshold(model);
} catch {
  // what is asked next says what is wrong
}
