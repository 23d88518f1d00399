// Questions to the server, with the token where it wants one.

import { by } from "./dom.js";

const KEY = "siamese-token";
const BASE = "/api/v1/";

/** A token may come behind the address, `#token=…`, which no server is sent. */
export function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (!token) return;
  sessionStorage.setItem(KEY, token);
  history.replaceState(null, "", location.pathname);
}

export async function call(path, options = {}) {
  const response = await send(path, options);
  const body = response.headers.get("content-type")?.includes("json") ? await response.json() : null;
  if (!response.ok) throw new Error(body?.detail ?? `the server said ${response.status}`);
  return body;
}

export const post = (path, form) => call(path, { method: "POST", body: form });

export const postJson = (path, value) =>
  call(path, { method: "POST", body: JSON.stringify(value), headers: { "content-type": "application/json" } });

/** A form of fields; of a list each. */
export function form(fields) {
  const form = new FormData();
  for (const [name, values] of Object.entries(fields)) for (const value of [values].flat()) form.append(name, value);
  return form;
}

export async function send(path, options = {}, again = true) {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(KEY);
  if (token) headers.set("authorization", `Bearer ${token}`);
  const address = path.startsWith("/") ? path : BASE + path;
  let response;
  try {
    response = await fetch(address, { ...options, headers });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("the server does not answer; is it running?");
  }
  if (response.status === 401 && document.body.dataset.token === "true") {
    await askToken();
    return send(path, options, again);
  }
  if (response.status === 503 && again) {
    const seconds = Number(response.headers.get("retry-after")) || 1;
    await new Promise((done) => setTimeout(done, 1000 * seconds));
    return send(path, options, false);
  }
  return response;
}

let asking = null;

function askToken() {
  asking ??= new Promise((done) => {
    const dialog = by("token");
    const text = by("token-text");
    text.value = "";
    dialog.oncancel = (event) => event.preventDefault();
    dialog.onclose = () => {
      sessionStorage.setItem(KEY, text.value.trim());
      asking = null;
      done();
    };
    dialog.showModal();
  });
  return asking;
}

const pictures = new Map();

/** The address of an entry's small picture, within this page; null where it has none. */
export function thumbnail(id) {
  if (!pictures.has(id)) pictures.set(id, load(id));
  return pictures.get(id);
}

async function load(id) {
  const response = await send(`gallery/entries/${id}/thumbnail`);
  return response.ok ? URL.createObjectURL(await response.blob()) : null;
}

/** An image that shows itself once it is here. */
export function picture(id, alt = "") {
  const image = new Image();
  image.alt = alt;
  image.className = "thumb";
  thumbnail(id).then((address) => {
    if (address) image.src = address;
    else image.classList.add("none");
  });
  return image;
}
