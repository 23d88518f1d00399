// Elements made by hand: text stays text, and nothing is ever parsed as markup.

export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "vars") for (const [name, to] of Object.entries(value)) element.style.setProperty(name, to);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export const by = (id) => document.getElementById(id);

/** Puts children in the place of those that are there. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat().filter((child) => child !== null && child !== undefined));
}

export const working = (what) => h("p", { class: "working" }, what);

/** What went wrong, as the server says it. */
export const failed = (error) => h("p", { class: "note wrong", role: "alert" }, sentence(error.message));

export const sentence = (text) => (text ? text[0].toUpperCase() + text.slice(1) : "Something went wrong");

export const count = (number, one, many) => `${number} ${number === 1 ? one : many}`;

export const number = (value) => (value === null || value === undefined ? "–" : Math.abs(value) < 0.1 ? value.toFixed(4) : value.toFixed(3));
