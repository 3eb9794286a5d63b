"use strict";
// A trial, from the data of its method: trial.html#METHOD/TRIAL.
const COLOURS = ["#1f77b4", "#d9480f", "#2b8a3e", "#9c36b5", "#c98a1b", "#0c8599", "#c2255c", "#6b7a1e", "#868e96", "#5f3dc4"];

// Curves of one stage, their losses by name.
function curves(stage, losses) {
  const { make } = ferbench, [width, height, left, bottom, top] = [560, 230, 52, 26, 10];
  const steps = losses.flatMap(one => one.steps), values = losses.flatMap(one => one.values);
  const last = Math.max(...steps, 1), low = Math.min(0, ...values), high = Math.max(...values, low + 1e-9);
  const x = step => left + (width - left - 8) * step / last, y = value => top + (height - top - bottom) * (high - value) / (high - low);
  const plot = make("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img" }, make("title", {}, `Losses of stage ${stage}`));
  for (const part of [0, .5, 1]) {
    const value = low + part * (high - low);
    plot.append(make("line", { class: "axis", x1: left, x2: width - 8, y1: y(value), y2: y(value) }),
      make("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, Number(value.toPrecision(3))),
      make("text", { x: x(part * last), y: height - 8, "text-anchor": part === 1 ? "end" : part ? "middle" : "start" }, Math.round(part * last)));
  }
  losses.forEach((one, i) => {
    const d = one.steps.map((step, k) => `${k ? "L" : "M"}${x(step).toFixed(1)} ${y(one.values[k]).toFixed(1)}`).join("");
    plot.append(make("path", { d, fill: "none", stroke: COLOURS[i % COLOURS.length], "stroke-width": 1.6 }, make("title", {}, one.loss)));
  });
  const legend = losses.map((one, i) => {
    const mark = make("span", {}, "— ");
    mark.style.color = COLOURS[i % COLOURS.length];
    return make("li", {}, mark, one.loss);
  });
  return make("div", {}, make("h3", {}, stage), plot, make("ul", { class: "legend" }, ...legend));
}

function drawn(method, trial, { shared, beside }) {
  const { make, table, confusion } = ferbench, place = shared[trial.place], [assignment, fold, seed] = trial.at;
  const parts = [
    make("p", {}, make("a", { href: `methods/${method}.html#${place.anchor}` }, place.name), ` on `, make("a", { href: `index.html#${place.board}` }, `${place.dataset} · ${place.protocol}`)),
    make("p", { class: "soft" }, `fold ${fold}, seed ${seed}${assignment ? `, assignment ${assignment}` : ""}, backbone ${place.backbone}; trial `, make("code", {}, trial.id)),
  ];
  const heads = shared[trial.headings];
  const known = [true, ...beside.map((_, i) => trial.figures.some(row => row[i + 1] !== "-"))];
  const side = make("div", { class: "side" },
    make("div", {}, make("h2", {}, "Metrics"), table(["metric", ...["value", ...beside].filter((_, i) => known[i])], heads.map((head, i) => [head, ...trial.figures[i].filter((_, j) => known[j])]), { label: "Metrics" })),
    make("div", {}, make("h2", {}, "Confusion"), confusion(shared[trial.expressions], trial.confusion),
      make("details", {}, make("summary", {}, `${trial.frames.length} subjects`), table(["subject", "frames", "right"], shared[trial.subjects].map((name, i) => [name, trial.frames[i], trial.right[i]]), { label: "By subject" }))));
  parts.push(side);
  if (trial.losses.length) {
    const stages = [...new Set(trial.losses.map(one => one.stage))];
    parts.push(make("h2", {}, "In training"), make("div", { class: "side" }, ...stages.map(stage => curves(stage, trial.losses.filter(one => one.stage === stage)))));
  }
  if (trial.picture) parts.push(make("h2", {}, "Made faces"), make("figure", {}, make("img", { src: trial.picture, alt: "Made faces: the expression of the row on the person of the column; originals at the edges" })));
  const notes = shared[trial.notes];
  if (notes.length) parts.push(make("h2", {}, "Notes"), make("ul", {}, ...notes.map(note => make("li", {}, note))));
  parts.push(make("h2", {}, "Settings"), table(["setting", "value"], shared[trial.settings], { words: true, label: "Settings" }));
  parts.push(make("h2", {}, "Stages and cost"), table(["stage", "steps", "trained here", "seconds", "weights"], trial.stages, { label: "Stages" }), table(["cost", ""], trial.cost, { label: "Cost" }));
  parts.push(make("h2", {}, "Provenance"), table(["", ""], trial.provenance.map(([name, number]) => [name, shared[number]]), { words: true, label: "Provenance" }));
  if (trial.command) parts.push(make("h2", {}, "Again"), make("p", {}, make("code", {}, trial.command)));
  return parts;
}

let asked = 0;

async function show() {
  const [[method, id]] = ferbench.fragment(), mine = ++asked;
  delete document.documentElement.dataset.ready;
  let words = "A trial is shown where its page is opened from that of a method.", label = "Trial", parts = [];
  try {
    if (id) {
      const data = await ferbench.load(method), trial = data.trials.find(one => one.id === id);
      words = trial ? "" : `There is no trial ${id} of ${data.method} on this site.`;
      if (trial) [label, parts] = [trial.label, drawn(method, trial, data)];
    }
  } catch (error) {
    words = error.message;
  }
  if (mine !== asked) return; // another trial was opened meanwhile
  document.title = document.getElementById("title").textContent = label;
  document.getElementById("say").textContent = words;
  document.getElementById("trial").replaceChildren(...parts);
  document.documentElement.dataset.ready = "yes";
}
addEventListener("hashchange", show);
show();
