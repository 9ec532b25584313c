// The table of brackets: filters, order, pages; the chart above it shows the same inputs in the same order.

const several = (name) => new Set(columns[name]).size > 1;
const HEADINGS = [
  { name: "index", title: "Input" },
  { name: "run", title: "Run", minor: true, hide: data.runs.length < 2, text: (row) => data.runs[columns.run[row]].name },
  { name: "label", title: "Class", minor: true, text: (row) => className(columns.run[row], columns.label[row]) },
  { name: "norm", title: "Norm", minor: true, hide: !several("norm"), text: (row) => columns.normName[row] },
  { name: "target", title: "Target", minor: true, hide: !several("target") },
  { name: "order", title: "Order", minor: true, hide: !several("order") },
  { name: "status", title: "Status", minor: true, text: (row) => columns.status[row].replaceAll("_", " ") },
  { name: "certified", title: "Certified", number: true },
  { name: "estimated", title: "Estimated", number: true, text: (row) => estimateText(row) },
  { name: "attacked", title: "Attacked", number: true, text: (row) => attackText(row) },
  { name: "flags", title: "Flags", minor: true, text: (row) => columns.flags[row].join(", ") },
].filter((heading) => !heading.hide); // minor ones have no column on a narrow screen: they stand below the input
const FILTERS = [
  ["run", "Run", (row) => [String(columns.run[row]), data.runs[columns.run[row]].name]],
  ["norm", "Norm", (row) => [columns.norm[row], columns.normName[row]]],
  ["target", "Target", (row) => [columns.target[row], columns.target[row]]],
  ["status", "Status", (row) => [columns.status[row], columns.status[row].replaceAll("_", " ")]],
  ["label", "Class", (row) => [String(columns.label[row]), className(columns.run[row], columns.label[row])]],
];
const PAGE = 50;
const table = document.getElementById("rows");
const state = { sort: "index", ascending: true, page: 0, text: "", flag: "", shown: [] };

const unread = (row) => columns.estimated[row] === null && !columns.below[row] && columns.status[row] !== "misclassified";
const attackText = (row) => (columns.absent[row] ? NONE_EXISTS : show(columns.attacked[row], "attacked"));

function estimateText(row) {
  if (unread(row)) return `${MISSING} ${data.statuses[columns.status[row]][1] ? "none" : columns.status[row].replaceAll("_", " ")}`;
  if (columns.below[row]) return BELOW;
  if (columns.estimated[row] === null) return MISSING;
  const ends = [columns.low[row], columns.high[row]].map((end) => show(end));
  return `${show(columns.estimated[row])} (${ends[0]} to ${ends[1]})`;
}

const cellText = (heading, row) =>
  heading.text ? heading.text(row) : heading.number ? show(columns[heading.name][row], heading.name) : String(columns[heading.name][row]);

function searchText(row) {
  const flags = columns.flags[row].join(" ");
  const names = [columns.index[row], className(columns.run[row], columns.label[row]), columns.target[row], columns.status[row], flags];
  return names.join(" ").replaceAll("_", " ").toLowerCase();
}

function matches(row) {
  if (FILTERS.some(([name]) => state[name] && String(columns[name][row]) !== state[name])) return false;
  if (state.flag && !columns.flags[row].includes(state.flag)) return false;
  return !state.text || searchText(row).includes(state.text.replaceAll("_", " ").toLowerCase());
}

// Numbers by size, text by letters; what is missing comes last, whichever way.
function compare(first, second) {
  const [a, b] = [first, second].map((row) => {
    const value = state.sort === "flags" ? columns.flags[row].length : number(columns[state.sort][row]);
    return state.sort === "norm" ? Number(value === Infinity ? Infinity : value) : value;
  });
  if (a === null || b === null) return (a === null) - (b === null) || first - second;
  const order = typeof a === "number" ? a - b || 0 : String(a).localeCompare(String(b));
  return (state.ascending ? order : -order) || first - second;
}

function update({ keepPage = false } = {}) {
  state.shown = Array.from({ length: count }, (_, row) => row).filter(matches).sort(compare);
  if (!keepPage) state.page = 0;
  const doubted = state.shown.filter((row) => columns.doubted[row] || unread(row)).length;
  const wrong = state.shown.filter((row) => columns.status[row] === "misclassified").length;
  const only = [...document.querySelectorAll("#choices select")].filter((one) => one.value).map((one) => one.selectedOptions[0].textContent);
  const chosen = only.length ? ` These are of ${only.join(", ")}; others are chosen above the chart.` : "";
  const flag = state.flag ? ` with the flag ${state.flag.replaceAll("_", " ")}` : "";
  document.getElementById("shown").textContent = `${state.shown.length} of ${count} brackets${flag}, ${doubted} of them in doubt.${
    wrong ? ` ${wrong} ${wrong === 1 ? "is" : "are"} misclassified: without numbers, and not in the chart.` : ""}${chosen}`;
  fillTable();
  drawBrackets();
}

function fillTable() {
  const rows = state.shown.slice(state.page * PAGE, (state.page + 1) * PAGE);
  table.tBodies[0].replaceChildren(...rows.map(tableRow));
  for (const cell of table.tHead.rows[0].cells) {
    if (cell.dataset.name === state.sort) cell.setAttribute("aria-sort", state.ascending ? "ascending" : "descending");
    else cell.removeAttribute("aria-sort");
  }
  const last = Math.max(0, Math.ceil(state.shown.length / PAGE) - 1);
  const turn = (step) => () => { state.page += step; fillTable(); };
  const back = make("button", { type: "button", onclick: turn(-1) }, "Previous");
  const next = make("button", { type: "button", onclick: turn(1) }, "Next");
  [back.disabled, next.disabled] = [state.page === 0, state.page >= last];
  const pages = document.getElementById("pages");
  pages.replaceChildren(...(last ? [back, `page ${state.page + 1} of ${last + 1}`, next] : []));
}

const kindOf = (heading) => (heading.number ? "number" : heading.minor ? "minor" : "");

function tableRow(row) {
  const cells = HEADINGS.map((heading) => {
    const standing = heading.name === "status" ? ` standing-${columns.status[row]}` : "";
    return make("td", { class: `${kindOf(heading)}${standing}` }, ...cellParts(heading, row));
  });
  return make("tr", { class: unread(row) ? "unread" : null }, ...cells);
}

function cellParts(heading, row) {
  const text = cellText(heading, row);
  if (heading.number) return [numberParts(text)];
  if (heading.minor) return [cutText(text)];
  const below = HEADINGS.filter((one) => one.minor).map((one) => [one, cellText(one, row)]).filter(([, found]) => found);
  const lines = below.map(([one, found]) =>
    make("span", { class: one.name === "status" ? `standing-${columns.status[row]}` : null }, `${one.title}: `, cutText(found)));
  return [make("a", { href: `#${address(row)}` }, text), make("span", { class: "below" }, ...lines)];
}

function cutText(text) {
  const words = text.split(/(?<=_)/).flatMap((part) => [make("wbr"), part]); // a name breaks behind its underscores
  return make("bdi", { class: "cut", title: text.length > 20 ? text : null }, ...words.slice(1));
}

// What the chart draws of a row, by its place in the table.
function mark(row, rank) {
  const finite = (value) => (Number.isFinite(number(value)) ? value : null);
  const names = ["certified", "estimated", "low", "high", "attacked"];
  const numbers = Object.fromEntries(names.map((name) => [name, finite(columns[name][row])]));
  const tips = {
    certified: show(columns.certified[row], "certified"),
    estimated: columns.below[row] ? BELOW : show(columns.estimated[row]),
    attacked: attackText(row),
  };
  const index = columns.index[row];
  return { row, rank, index, tips, name: `input ${index}`, status: columns.status[row], unread: unread(row) ? 0 : null, ...numbers };
}

let drawing = 0;
async function drawBrackets() {
  const place = document.querySelector("[data-chart=brackets]");
  if (!place || waiting.has(place)) return;
  const turn = ++drawing;
  const rows = state.shown.filter((row) => columns.status[row] !== "misclassified").map((row, rank) => mark(row, rank + 1));
  await new Promise((done) => setTimeout(done, 60)); // typing in the search field asks for many
  if (turn !== drawing) return;
  const view = await draw(place, { rows });
  view.addEventListener("click", (_, item) => {
    if (item?.datum?.row !== undefined) location.hash = address(item.datum.row);
  });
}

function chooser(name, title, option) {
  const found = new Map(Array.from({ length: count }, (_, row) => option(row)));
  if (found.size < 2) return null;
  const select = make("select", { name, onchange: () => { state[name] = select.value; update(); } });
  select.append(make("option", { value: "" }, "all"), ...[...found].map(([value, text]) => make("option", { value }, text.slice(0, 60))));
  state[name] = ["norm", "target"].includes(name) ? select.options[1].value : ""; // distances of two norms share no scale
  select.value = state[name];
  return make("label", {}, title, select);
}

function startTable() {
  if (!table || !count) return;
  const form = document.getElementById("filters");
  const search = make("input", { type: "search", name: "text", oninput: () => { state.text = search.value; update(); } });
  const reset = make("button", { type: "button", onclick: () => showAll({}) }, "Show all");
  const drawnBy = document.getElementById("choices"); // by the chart: what decides which distances share its axis
  const choosers = FILTERS.map((filter) => [filter[0], chooser(...filter)]).filter(([, found]) => found);
  const byChart = choosers.filter(([name]) => ["norm", "target"].includes(name)).map(([, found]) => found);
  drawnBy.append(...byChart);
  form.append(...choosers.map(([, found]) => found).filter((found) => !byChart.includes(found)), make("label", {}, "Search", search), reset);
  for (const one of [form, drawnBy]) one.addEventListener("submit", (event) => event.preventDefault());
  const sortBy = (name) => () => {
    state.ascending = state.sort === name ? !state.ascending : true;
    state.sort = name;
    update();
  };
  const heads = HEADINGS.map((heading) =>
    make("th", { scope: "col", "data-name": heading.name, class: kindOf(heading) },
      make("button", { type: "button", onclick: sortBy(heading.name) }, heading.title)));
  table.tHead.append(make("tr", {}, ...heads));
  for (const button of document.querySelectorAll("[data-flag]")) {
    button.addEventListener("click", () => {
      showAll({ flag: button.dataset.flag });
      document.getElementById("brackets").scrollIntoView();
    });
  }
  update();
}

function showAll(changes) {
  for (const field of document.querySelectorAll("#choices select, #filters select, #filters input")) state[field.name] = field.value = "";
  Object.assign(state, { flag: "" }, changes);
  update();
}
