// A worker: pictures are decoded by the browser, and WebAssembly does the rest.

let wasm = null;

/** Bytes of base64. */
function bytes(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const padding = text.endsWith("==") ? 2 : text.endsWith("=") ? 1 : 0;
  const out = new Uint8Array((text.length / 4) * 3 - padding);
  const PART = 1 << 20;
  for (let at = 0, to = 0; at < text.length; at += PART) {
    const part = atob(text.slice(at, at + PART));
    for (let i = 0; i < part.length; i++) out[to++] = part.charCodeAt(i);
  }
  return out;
}

const unpacked = (packed) => new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

/** Puts bytes where the next call takes them. */
function put(given) {
  const at = wasm.buffer(given.length) >>> 0;
  new Uint8Array(wasm.memory.buffer, at, given.length).set(given);
}

const said = () => new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, wasm.said() >>> 0, wasm.said_length()));

function heard(code) {
  const text = said();
  if (code) throw new Error(text);
  return JSON.parse(text);
}

/** RGBA of a picture as it is to be seen, its colours as they are in the file. */
async function pixels(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { imageOrientation: "from-image", colorSpaceConversion: "none" });
  } catch {
    throw new Error(`${file.name}: this browser cannot read it as a picture; save it as PNG or JPEG`);
  }
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error(`${file.name}: it is too large for this browser`);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/** Some browsers give pages false pixels, against being tracked. */
function honest() {
  const context = new OffscreenCanvas(16, 16).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "rgb(10 200 90)";
  context.fillRect(0, 0, 16, 16);
  const wanted = [10, 200, 90, 255];
  return context.getImageData(0, 0, 16, 16).data.every((value, at) => value === wanted[at % 4]);
}

const jobs = {
  async load({ wasm: code, model }) {
    if (!honest()) throw new Error("this browser gives pages false pixels, against being tracked: allow this page to read canvases, and load it again");
    const module = await WebAssembly.compile(await unpacked(bytes(code)));
    // a few functions that nothing calls
    const imports = {};
    for (const { module: from, name } of WebAssembly.Module.imports(module)) (imports[from] ??= {})[name] = () => 0;
    wasm = (await WebAssembly.instantiate(module, imports)).exports;
    put(bytes(model));
    return heard(wasm.load());
  },
  async look({ place, file }) {
    const { data, width, height } = await pixels(file);
    put(data);
    try {
      return heard(wasm.look(place, height, width));
    } catch (error) {
      if (error instanceof WebAssembly.RuntimeError) throw error;
      throw new Error(`${file.name}: ${error.message}`);
    }
  },
  compare: () => heard(wasm.compare()),
};

/** What is said of an error after which nothing can be asked any more. */
function lost(error) {
  if (error instanceof WebAssembly.CompileError) return "this browser is too old for this page: Chrome 91, Firefox 113, Safari 16.4 and later can show it";
  if (error instanceof WebAssembly.RuntimeError) return `the model gave up: ${said() || "it may take more memory than a browser gives"}`;
  return error instanceof RangeError ? "this takes more memory than a browser gives" : null;
}

async function answer({ number, what, given }) {
  try {
    postMessage({ number, answer: await jobs[what](given) });
  } catch (error) {
    const why = lost(error);
    postMessage({ number, error: why ?? error.message, lost: why !== null });
  }
}

let before = Promise.resolve();

// one after another: a small picture must not overtake the large one before it
onmessage = ({ data }) => (before = before.then(() => answer(data)));
