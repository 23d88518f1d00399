// The model at work beside the page, so that the page never waits for it.

import { by } from "./dom.js";

const OLD = "this browser is too old for this page: Chrome 91, Firefox 113, Safari 16.4 and later can show it";
const policy = self.trustedTypes?.createPolicy("worker", { createScriptURL: (address) => address });

export class Engine {
  constructor() {
    this.loaded = false;
    this.start();
  }

  start() {
    const address = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
    this.worker = new Worker(policy ? policy.createScriptURL(address) : address);
    this.asked = new Map();
    this.looked = [];
    this.loading = null;
    this.worker.onmessage = ({ data }) => this.hear(data);
    this.worker.onerror = () => this.hear({ number: -1, error: "the model cannot be started in this browser", lost: true });
  }

  /** Unpacks the model, once. */
  load() {
    if (!globalThis.DecompressionStream || !globalThis.OffscreenCanvas || !globalThis.WebAssembly) return Promise.reject(new Error(OLD));
    this.loading ??= this.ask("load", { wasm: by("wasm").textContent, model: by("weights").textContent }).then(() => (this.loaded = true));
    return this.loading;
  }

  /** Looks at a picture for place 0 or 1; the same is not looked at twice. */
  async look(place, file) {
    await this.load();
    if (this.looked[place]?.file !== file) this.looked[place] = { file, glance: this.ask("look", { place, file }) };
    return this.looked[place].glance;
  }

  compare() {
    return this.ask("compare");
  }

  ask(what, given) {
    return new Promise((answered, refused) => {
      const number = (this.number = (this.number ?? 0) + 1);
      this.asked.set(number, { answered, refused });
      this.worker.postMessage({ number, what, given });
    });
  }

  hear({ number, answer, error, lost }) {
    if (lost) {
      // whoever waits gets the reason, and the next question a new model
      this.worker.terminate();
      for (const { refused } of this.asked.values()) refused(new Error(error));
      this.loaded = false;
      this.start();
      return;
    }
    const asked = this.asked.get(number);
    this.asked.delete(number);
    if (error) asked?.refused(new Error(error));
    else asked?.answered(answer);
  }
}
