// The page without a server: two pictures, and a model that lies in this very file.

import { by, failed, fill, h, working } from "./dom.js";
import { Field, listenToPaste } from "./field.js";
import { verdict } from "./verdict.js";
import { Engine } from "./engine.js";

const engine = new Engine();
const unshown = "This browser cannot read it: save it as PNG or JPEG.";
const pair = ["a", "b"].map((id) => new Field(id, judge, unshown));
listenToPaste();
engine.load().catch((error) => fill(by("compared"), failed(error)));

let latest = 0;

async function judge() {
  const turn = ++latest;
  const result = by("compared");
  const files = pair.map((field) => field.file);
  if (!files.every(Boolean)) {
    fill(result);
    return;
  }
  fill(result, working(engine.loaded ? "Comparing…" : "Unpacking the model…"));
  try {
    const glances = [await engine.look(0, files[0]), await engine.look(1, files[1])];
    const answer = await engine.compare();
    if (turn !== latest) return;
    const strange = glances.map((glance) => glance.strange);
    fill(result, verdict({ ...answer, strange, first: files[0].name, second: files[1].name }), ...glances.map((glance, at) => largest(files[at].name, glance)));
    glances.forEach((glance, at) => mark(pair[at], glance));
  } catch (error) {
    if (turn === latest) fill(result, failed(error));
  }
}

/** Of several faces one is compared, which is told. */
function largest(name, { faces }) {
  return faces > 1 ? h("p", { class: "soft" }, `${name} shows ${faces} faces: the largest is compared.`) : null;
}

/** Frames the face that was looked at, once its picture is shown. */
async function mark(field, { face }) {
  const file = field.file;
  await field.image.decode().catch(() => {});
  if (face && field.file === file) field.mark([face]);
}
