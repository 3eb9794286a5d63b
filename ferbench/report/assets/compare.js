"use strict";
// Two rows of a board: compare.html#BOARD/ROW/ROW?metric=NAME. Tests are read as they were made; what is added up here are counts.
const form = document.getElementById("choose"), say = document.getElementById("say"), target = document.getElementById("comparison");
const { board: boardField, a: aField, b: bField, metric: metricField } = form.elements;

const options = (field, entries) => field.replaceChildren(...entries.map(([value, text]) => ferbench.make("option", { value }, text)));
const percent = value => ferbench.fixed(100 * value, 1);
const signed = (value, digits = 1) => `${value < 0 ? "-" : "+"}${ferbench.fixed(Math.abs(value), digits)}`;
const add = (x, y) => x.map((value, i) => (Array.isArray(value) ? add(value, y[i]) : value + y[i]));

// The trials of a row by repetition (assignment, fold, seed).
function trialsOf(data, board, row) {
  const mine = data.trials.filter(trial => data.shared[trial.place].board === board && data.shared[trial.place].row === row);
  return new Map(mine.map(trial => [trial.at.join("/"), trial]));
}

// Frames and right answers of each subject, over trials.
function bySubject(data, trials) {
  const found = new Map();
  for (const trial of trials) {
    data.shared[trial.subjects].forEach((name, i) => {
      const had = found.get(name) ?? [0, 0];
      found.set(name, [had[0] + trial.frames[i], had[1] + trial.right[i]]);
    });
  }
  return found;
}

function tables(a, b, ours, theirs, metric) {
  const { make, table } = ferbench, parts = [];
  const both = [...ours.trials.keys()].filter(key => theirs.trials.has(key)), place = ours.data.compared.indexOf(metric);
  const [x, y] = [both.map(key => ours.trials.get(key)), both.map(key => theirs.trials.get(key))];
  const [factor, digits] = metric === "accuracy" ? [100, 1] : [1, 2];
  const text = value => (value === null ? "-" : ferbench.fixed(factor * value, digits));
  const repeated = new Set(x.map(trial => trial.at[0])).size > 1;
  const folds = x.map((trial, i) => {
    const [assignment, fold, seed] = trial.at, values = [trial.values[place], y[i].values[place]];
    const gap = values.includes(null) ? "-" : signed(factor * (values[0] - values[1]), digits);
    return [`${repeated ? `assignment ${assignment}, ` : ""}fold ${fold}, seed ${seed}`, text(values[0]), text(values[1]), gap];
  });
  parts.push(make("div", {}, make("h2", {}, "By fold and seed"), table(["trial", a.name, b.name, "difference"], folds, { label: "By fold and seed" })));
  if (!x.length) return parts;
  const names = ours.data.shared[x[0].expressions];
  const [p, q] = [x, y].map(trials => trials.map(trial => trial.confusion).reduce(add));
  const classes = names.flatMap((name, i) => {
    const [n, m] = [p, q].map(counts => counts[i].reduce((s, v) => s + v, 0));
    if (!n) return [];
    const recalls = [p[i][i] / n, q[i][i] / Math.max(m, 1)];
    return [[name, percent(recalls[0]), percent(recalls[1]), signed(100 * (recalls[0] - recalls[1]))]];
  });
  parts.push(make("div", {}, make("h2", {}, "Recall by expression, %"), table(["expression", a.name, b.name, "difference"], classes, { label: "Recall" })));
  const [s, t] = [bySubject(ours.data, x), bySubject(theirs.data, y)];
  const people = [...s].map(([name, [n, right]]) => {
    const [m, other] = t.get(name) ?? [0, 0];
    return [name, right / Math.max(n, 1), other / Math.max(m, 1)];
  }).sort((one, two) => (two[1] - two[2]) - (one[1] - one[2]));
  const wins = people.filter(([, u, v]) => u > v).length, losses = people.filter(([, u, v]) => u < v).length;
  parts.push(make("div", {}, make("h2", {}, "Accuracy by subject, %"),
    make("p", {}, `${a.name} is better on ${wins}, equal on ${people.length - wins - losses}, worse on ${losses}.`),
    make("details", {}, make("summary", {}, `${people.length} subjects`), table(["subject", a.name, b.name, "difference"],
      people.map(([name, u, v]) => [name, percent(u), percent(v), signed(100 * (u - v))]), { label: "By subject" }))));
  return parts;
}

let asked = 0;

async function compare(boards) {
  const { make, table, load } = ferbench, board = boards.find(one => one.key === boardField.value), mine = ++asked;
  const [a, b] = [aField, bField].map(field => board.rows.find(row => row.key === field.value)), metric = metricField.value;
  delete document.documentElement.dataset.ready;
  const parts = [], words = [];
  try {
    if (!a || !b || a === b) {
      words.push(board.rows.length < 2 ? "This board has one row." : "Choose two rows.");
    } else {
      const [ourData, theirData, pairs] = await Promise.all([load(a.file), load(b.file), load(`pairs-${board.key}-${a.key}`)]);
      const said = pairs[b.key][metric];
      document.title = `${a.name} against ${b.name}`;
      if (typeof said === "string") {
        words.push(said);
      } else {
        const [difference, p, verdict] = said, metricText = metricField.selectedOptions[0].textContent;
        const figures = [a, b].map(row => row.figures[metricField.selectedIndex]);
        parts.push(make("p", { class: "verdict" }, verdict),
          table(["", a.name, b.name, "difference [95 %]", "p"], [[metricText, ...figures, difference, p]], { label: "The test" }));
      }
      const [ours, theirs] = [[ourData, a], [theirData, b]].map(([data, row]) => ({ data, trials: trialsOf(data, board.key, row.key) }));
      parts.push(make("div", { class: "side" }, ...tables(a, b, ours, theirs, metric)));
    }
    if (board.left) words.push(`Of this board the first ${board.rows.length} rows are compared here; 'ferbench compare' takes the other ${board.left} too.`);
  } catch (error) {
    words.push(error.message);
  }
  if (mine !== asked) return; // another pair was chosen meanwhile
  say.textContent = words.join(" ");
  target.replaceChildren(...parts);
  document.documentElement.dataset.ready = "yes";
}

function fill(boards, board, a, b) {
  options(boardField, boards.map(one => [one.key, `${one.title} · ${one.setting}`]));
  boardField.value = board.key;
  const several = new Set(board.rows.map(row => row.backbone)).size > 1;
  const rows = board.rows.map(row => [row.key, several ? `${row.name} on ${row.backbone}` : row.name]);
  for (const field of [aField, bField]) options(field, rows);
  aField.value = board.rows.some(row => row.key === a) ? a : board.rows[0]?.key;
  bField.value = board.rows.some(row => row.key === b) ? b : board.rows.find(row => row.key !== aField.value)?.key;
}

async function start() {
  const boards = await ferbench.load("boards");
  options(metricField, [["accuracy", "accuracy"], ["identity_leakage", "identity leakage"]]);
  const remember = () => {
    const query = metricField.value === "accuracy" ? "" : `?metric=${metricField.value}`;
    history.replaceState(null, "", `#${boardField.value}/${aField.value}/${bField.value}${query}`);
    return compare(boards);
  };
  const recall = () => {
    const [[key, ...wanted], query] = ferbench.fragment(), board = boards.find(one => one.key === key);
    const none = !boards.length || (key && !board), lost = !none && wanted.some(row => !board?.rows.some(one => one.key === row));
    if (boards.length) fill(boards, board ?? boards[0], ...wanted);
    metricField.value = query.get("metric") === "identity_leakage" ? "identity_leakage" : "accuracy";
    if (!none && !lost) { compare(boards); return; }
    asked++; // what is being loaded is not asked for any longer
    say.textContent = none ? "There is no such board on this site." : "A row of this address is not on the board, or not among those that are compared here.";
    target.replaceChildren();
    document.documentElement.dataset.ready = "yes";
  };
  boardField.addEventListener("change", () => { fill(boards, boards.find(one => one.key === boardField.value)); remember(); });
  for (const field of [aField, bField, metricField]) field.addEventListener("change", remember);
  form.elements.turn.addEventListener("click", () => { [aField.value, bField.value] = [bField.value, aField.value]; remember(); });
  addEventListener("hashchange", recall);
  form.hidden = false;
  recall();
}
start().catch(error => { say.textContent = error.message; });
