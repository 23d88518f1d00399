// A place for a picture: dropped, pasted, chosen or photographed.

import { by, fill, h } from "./dom.js";

const fields = [];

export class Field {
  constructor(id, changed, unshown = "This browser cannot show it. The model reads it.") {
    this.root = by(`${id}-field`);
    this.input = by(id);
    this.changed = changed;
    this.file = null;
    this.image = this.root.querySelector("img");
    this.camera = this.root.querySelector(".camera input");
    this.marks = h("div", { class: "marks", "aria-hidden": "true" });
    this.unshown = h("p", { class: "not-shown" });
    this.image.after(this.marks, this.unshown);
    this.button = this.root.querySelector(".clear");
    for (const input of [this.input, this.camera]) input.addEventListener("change", () => input.files[0] && this.set(input.files[0]));
    this.button.addEventListener("click", () => this.set(null));
    this.root.addEventListener("dragover", (event) => {
      event.preventDefault();
      this.root.classList.add("over");
    });
    this.root.addEventListener("dragleave", () => this.root.classList.remove("over"));
    this.root.addEventListener("drop", (event) => {
      event.preventDefault();
      this.root.classList.remove("over");
      this.take([...event.dataTransfer.files]);
    });
    this.image.addEventListener("error", () => {
      if (!this.file) return;
      this.root.classList.add("unshown");
      fill(this.unshown, [h("b", {}, this.file.name), ` ${unshown}`]);
    });
    fields.push(this);
  }

  /** Several at once go on to the next fields. */
  take(files) {
    const own = fields.filter((field) => field.root.closest("section") === this.root.closest("section"));
    const from = own.indexOf(this);
    files.slice(0, own.length).forEach((file, at) => own[(from + at) % own.length].set(file));
  }

  /** Marks parts of the picture by boxes (left, top, right, bottom in its pixels), numbered where there are several. */
  mark(boxes) {
    const { naturalWidth, naturalHeight, clientWidth, clientHeight } = this.image;
    // the picture lies whole in the middle of the field
    const scale = Math.min(clientWidth / naturalWidth, clientHeight / naturalHeight);
    const [x, y] = [(clientWidth - naturalWidth * scale) / 2, (clientHeight - naturalHeight * scale) / 2];
    const share = (length, of) => `${(100 * length) / of}%`;
    const mark = ([left, top, right, bottom], at) => {
      const vars = {
        "--left": share(x + left * scale, clientWidth),
        "--top": share(y + top * scale, clientHeight),
        "--width": share((right - left) * scale, clientWidth),
        "--height": share((bottom - top) * scale, clientHeight),
      };
      return h("span", { class: "mark-box", vars }, boxes.length > 1 ? h("b", {}, at + 1) : null);
    };
    fill(this.marks, naturalWidth ? boxes.map(mark) : []);
  }

  set(file) {
    this.file = file;
    fill(this.marks);
    if (this.image.src) URL.revokeObjectURL(this.image.src);
    this.root.classList.remove("unshown");
    this.root.classList.toggle("full", Boolean(file));
    this.image.hidden = this.button.hidden = !file;
    if (file) {
      this.image.src = URL.createObjectURL(file);
      this.image.alt = file.name;
    } else {
      this.image.removeAttribute("src");
      this.input.value = this.camera.value = "";
    }
    this.changed();
  }
}

/** Pasted pictures go to the first empty field that can be seen. */
export function listenToPaste() {
  document.addEventListener("paste", (event) => {
    const files = [...event.clipboardData.files].filter((file) => file.type.startsWith("image/"));
    const seen = fields.filter((field) => !field.root.closest("[hidden]"));
    const field = seen.find((field) => !field.file) ?? seen.at(-1);
    if (files.length && field) {
      event.preventDefault();
      field.take(files);
    }
  });
  // a picture that misses its field must not replace the page
  for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => event.preventDefault());
}
