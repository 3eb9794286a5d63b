"use strict";
// Boards of the home page: sorting, filtering, and choosing two rows to compare. The state of a board is its permalink:
// #BOARD?filter=TEXT&sort=accuracy:down,trials:up&rows=KEY,KEY
for (const board of document.querySelectorAll(".board")) {
  const table = board.querySelector("table.sortable"), body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows], given = new Map(rows.map((row, i) => [row, i]));
  const field = board.querySelector("input[type=search]"), count = board.querySelector(".count"), link = board.querySelector("[data-compare]");
  let order = []; // [{ column, down }], the first decides
  let chosen = []; // keys of rows

  const value = (row, column) => row.cells[column].dataset.order;

  function before(a, b) {
    for (const { column, down, words } of order) {
      const [x, y] = [value(a, column), value(b, column)];
      if (x === y) continue;
      if (x === "" || y === "") return x === "" ? 1 : -1; // what has no figure comes last, either way
      const found = words ? x.localeCompare(y) : x - y;
      if (found) return down ? -found : found;
    }
    return given.get(a) - given.get(b);
  }

  function show() {
    body.append(...rows.sort(before));
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every(word => text.includes(word));
      shown += !row.hidden;
      row.querySelector(".pick input").checked = chosen.includes(row.dataset.row);
    }
    count.textContent = words.length ? `${shown} of ${rows.length} rows` : "";
    for (const [i, head] of heads.entries()) {
      const place = order.find(one => one.column === i);
      if (place) head.setAttribute("aria-sort", place.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
    const names = chosen.map(key => rows.find(row => row.dataset.row === key)?.querySelector(".name a").textContent);
    link.textContent = names.length === 2 ? `Compare ${names[0]} with ${names[1]}` : names.length ? `${names[0]}: choose another row` : "";
    if (names.length === 2) link.href = `compare.html#${board.id}/${chosen[0]}/${chosen[1]}`;
    else link.removeAttribute("href");
  }

  function remember() {
    const state = new URLSearchParams();
    if (field.value) state.set("filter", field.value);
    if (order.length) state.set("sort", order.map(one => `${heads[one.column].dataset.name}:${one.down ? "down" : "up"}`).join(","));
    if (chosen.length) state.set("rows", chosen.join(","));
    const text = String(state);
    history.replaceState(null, "", `#${board.id}${text ? `?${text}` : ""}`);
    show();
  }

  function recall() {
    const [[key], state] = ferbench.fragment();
    const mine = key === board.id;
    field.value = mine ? state.get("filter") ?? "" : "";
    order = (mine ? state.get("sort") ?? "" : "").split(",").filter(Boolean).flatMap(one => {
      const cut = one.lastIndexOf(":"), column = heads.findIndex(head => head.dataset.name === one.slice(0, cut));
      return column < 0 ? [] : [{ column, down: one.slice(cut + 1) === "down", words: heads[column].classList.contains("w") }];
    });
    chosen = (mine ? state.get("rows") ?? "" : "").split(",").filter(key => rows.some(row => row.dataset.row === key)).slice(0, 2);
    show();
    if (mine && [...state].length) board.scrollIntoView();
  }

  function sort(column, more) {
    const words = heads[column].classList.contains("w"), first = "down" in heads[column].dataset;
    const had = order.find(one => one.column === column);
    const next = { column, words, down: had ? !had.down : first };
    order = more ? [...order.filter(one => one.column !== column), next] : [next];
    remember();
  }

  for (const [i, head] of heads.entries()) {
    if (!head.dataset.name) continue;
    const button = ferbench.make("button", { type: "button", title: "Sort; with Shift, after the columns that are sorted" }, head.textContent);
    button.addEventListener("click", event => sort(i, event.shiftKey));
    head.replaceChildren(button);
  }
  field.addEventListener("input", remember);
  body.addEventListener("change", event => {
    const key = event.target.closest("tr").dataset.row;
    chosen = event.target.checked ? [...chosen, key].slice(-2) : chosen.filter(one => one !== key);
    remember();
  });
  for (const part of board.querySelectorAll(".pick, .tools")) part.hidden = false;
  recall();
  addEventListener("hashchange", recall);
}
document.documentElement.dataset.ready = "yes";
