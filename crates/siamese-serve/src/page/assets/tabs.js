// Tabs, as the ARIA practices have them: one of them is in the tab order, arrows go to the others.

export function tabs(list, shown) {
  const all = [...list.querySelectorAll("[role=tab]")];
  const show = (tab, focus) => {
    for (const other of all) {
      const is = other === tab;
      other.setAttribute("aria-selected", is);
      other.tabIndex = is ? 0 : -1;
      document.getElementById(other.getAttribute("aria-controls")).hidden = !is;
    }
    if (focus) tab.focus();
    const name = tab.getAttribute("aria-controls");
    history.replaceState(null, "", `#${name}`);
    shown(name);
  };
  all.forEach((tab, at) => {
    tab.addEventListener("click", () => show(tab));
    tab.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      const to = step ? (at + step + all.length) % all.length : { Home: 0, End: all.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      show(all[to], true);
    });
  });
  show(all.find((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash) ?? all[0]);
  return (name) => show(all.find((tab) => tab.getAttribute("aria-controls") === name), true);
}
