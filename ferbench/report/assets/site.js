"use strict";
// What all pages share. Whatever comes from records gets into a page as text only.
const ferbench = {
  waiting: new Map(),
  loaded: new Map(),

  // Called by the files in data/.
  take(name, text) {
    ferbench.waiting.get(name)?.(JSON.parse(text));
  },

  // The value in data/NAME.js; a page that is read from disk may load scripts, and no JSON.
  load(name) {
    if (!/^[a-z0-9_-]+$/.test(name)) return Promise.reject(new Error(`There is no data of the name ${name}.`));
    if (!ferbench.loaded.has(name)) {
      ferbench.loaded.set(name, new Promise((resolve, reject) => {
        ferbench.waiting.set(name, resolve);
        const script = document.createElement("script");
        script.src = `data/${name}.js`;
        script.onerror = () => reject(new Error(`data/${name}.js is not there; 'ferbench site' writes it again.`));
        document.head.append(script);
      }));
    }
    return ferbench.loaded.get(name);
  },

  // A number with so many digits as Python writes it: of two that are as near the even one.
  fixed(value, digits) {
    const exact = Math.abs(value).toFixed(digits + 60), cut = exact.length - 60;
    let text = Math.abs(value).toFixed(digits);
    if (/^50*$/.test(exact.slice(cut))) {
      const down = exact.slice(0, cut).replace(/\.$/, "");
      if ("02468".includes(down.at(-1))) text = down;
    }
    return (value < 0 ? "-" : "") + text;
  },

  // An element with attributes and children, which are elements or texts.
  make(tag, attributes = {}, ...children) {
    const svg = ["svg", "path", "text", "line", "rect", "title"].includes(tag);
    const made = svg ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    made.append(...children.map(child => (child instanceof Node ? child : String(child))));
    return made;
  },

  // A table in a region that scrolls; the first column is of words, the others of figures unless `words`.
  table(heads, rows, { words = false, label = "Table" } = {}) {
    const { make } = ferbench;
    const kind = index => (index && !words ? { class: "n" } : words && index ? { class: "words" } : {});
    const head = make("tr", {}, ...heads.map((text, i) => make("th", { scope: "col", ...(words ? {} : kind(i)) }, text)));
    const body = rows.map(row => make("tr", {}, ...row.map((cell, i) => make("td", kind(i), cell))));
    const table = make("table", {}, make("thead", {}, head), make("tbody", {}, ...body));
    return make("div", { class: "wide", role: "region", tabindex: "0", "aria-label": label }, table);
  },

  // Counts with true classes in rows, shaded by the share of the true class.
  confusion(names, counts) {
    const { make } = ferbench;
    const head = make("tr", {}, make("th", {}, "true ↓ predicted →"), ...names.map(name => make("th", {}, name)));
    const rows = counts.map((line, i) => {
      const all = Math.max(line.reduce((a, b) => a + b, 0), 1);
      return make("tr", {}, make("th", { scope: "row" }, names[i]),
        ...line.map(n => make("td", { class: `s${Math.round(10 * n / all)}` }, n)));
    });
    const table = make("table", { class: "confusion" }, make("thead", {}, head), make("tbody", {}, ...rows));
    return make("div", { class: "wide", role: "region", tabindex: "0", "aria-label": "Confusion" }, table);
  },

  // Decoded parts of the fragment: "#a/b?metric=m" gives [["a", "b"], URLSearchParams].
  fragment() {
    const [path, query = ""] = location.hash.slice(1).split("?", 2);
    const decode = part => { try { return decodeURIComponent(part); } catch { return part; } };
    return [path.split("/").map(decode), new URLSearchParams(query)];
  },
};

// A link to a part that is folded opens it.
function unfold() {
  const part = document.getElementById(ferbench.fragment()[0][0]);
  if (part instanceof HTMLDetailsElement) { part.open = true; part.scrollIntoView(); }
}
addEventListener("hashchange", unfold);
unfold();
