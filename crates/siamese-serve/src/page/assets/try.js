// The API's page: what the server says that it answers, each with a form to try it.

import { call, send, takeToken } from "./api.js";
import { by, failed, fill, h, working } from "./dom.js";

takeToken();

const document_ = await call("openapi.json").catch((error) => fill(by("operations"), failed(error)));
if (document_) {
  const all = Object.entries(document_.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, what]) => ({ path, method, what })));
  const groups = Map.groupBy(all, ({ what }) => what.tags?.[0] ?? "other");
  fill(
    by("operations"),
    [...groups].map(([name, operations]) => h("section", {}, h("h2", { class: "group" }, name), operations.map(operation))),
  );
}

function operation({ path, method, what }) {
  const [kind, schema] = body(what);
  const inputs = [...(what.parameters ?? []).map(parameter), ...fields(kind, schema)];
  const said = h("div", { "aria-live": "polite" });
  const submit = (event) => {
    event.preventDefault();
    run(method, path, kind, inputs, said);
  };
  return h(
    "details",
    { class: "card operation" },
    h("summary", {}, h("code", { class: `method ${method}` }, method.toUpperCase()), h("code", {}, path), h("span", { class: "soft" }, what.summary ?? "")),
    h("form", { onsubmit: submit }, inputs.map((input) => input.label), h("button", { class: "main" }, "Send"), said),
  );
}

function body(what) {
  const [kind, content] = Object.entries(what.requestBody?.content ?? {})[0] ?? [];
  const name = content?.schema?.$ref?.split("/").at(-1);
  return [kind, name ? document_.components.schemas[name] : content?.schema];
}

function parameter({ name, in: where, description, required }) {
  const input = h("input", { autocomplete: "off", required });
  return { name, where, input, label: labelled(name, description, input) };
}

function fields(kind, schema) {
  return Object.entries(schema?.properties ?? {}).map(([name, of]) => {
    const isFile = of.format === "binary";
    const required = schema.required?.includes(name);
    const input = isFile ? h("input", { type: "file", required }) : h("input", { autocomplete: "off", required });
    return { name, where: kind, input, label: labelled(name, of.description, input) };
  });
}

function labelled(name, description, input) {
  return h("label", {}, h("code", {}, name), description ? h("span", { class: "soft" }, ` ${description}`) : null, input);
}

async function run(method, path, kind, inputs, said) {
  const query = new URLSearchParams();
  const form = new FormData();
  const json = {};
  let address = path;
  for (const { name, where, input } of inputs) {
    const value = input.files ? input.files[0] : input.value;
    if (!value) continue;
    if (where === "path") address = address.replace(`{${name}}`, encodeURIComponent(value));
    else if (where === "query") query.set(name, value);
    else if (kind === "application/json") json[name] = value;
    else form.append(name, value);
  }
  if (query.size) address += `?${query}`;
  const options = { method: method.toUpperCase() };
  if (kind === "application/json") Object.assign(options, { body: JSON.stringify(json), headers: { "content-type": kind } });
  else if (kind) options.body = form;
  fill(said, working("Asking…"));
  try {
    const begun = performance.now();
    const response = await send(address, options, false);
    const type = response.headers.get("content-type") ?? "";
    const shown = type.startsWith("image/") ? h("img", { src: URL.createObjectURL(await response.blob()), alt: "The answer" }) : h("pre", { tabindex: 0 }, type.includes("json") ? JSON.stringify(await response.json(), null, 2).slice(0, 20000) : await response.text());
    const ms = Math.round(performance.now() - begun);
    fill(said, h("p", { class: "soft" }, `${response.status} in ${ms} ms`), shown);
  } catch (error) {
    fill(said, failed(error));
  }
}
