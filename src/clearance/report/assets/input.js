// One input: a dialog with everything that is known about it. Its address is the page's with #input-… at the end.

const dialog = document.getElementById("input");
let opened = null;

function openInput(row) {
  opened = row;
  dialog.replaceChildren(...inputParts(row));
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  redrawInput();
}

function redrawInput() {
  redrawFit(dialog.querySelector("[data-chart=fit]"));
  redrawProfile(dialog.querySelector("[data-chart=profile]"));
}

function redrawProfile(place) {
  if (!dialog.open || !place) return;
  const [last, ...readings] = data.details[opened].profile;
  const names = ["gradient norm", "along rays"];
  const steps = names.flatMap((reading, k) => readings[k][3].map((value, i, all) =>
    ({ reading, value: number(value), distance: (i / all.length) * last, until: ((i + 1) / all.length) * last })));
  const ends = names.map((reading, k) => ({ reading, radius: readings[k][0] })).filter((end) => end.radius !== null);
  draw(place, { steps, ends });
}

function redrawFit(place) {
  if (!dialog.open || !place || !place.closest("details").open) return;
  const { fit, bins } = data.details[opened];
  const area = bins ? bins[1] * bins[2].reduce((sum, n) => sum + n, 0) : 1;
  const bars = bins ? bins[2].map((n, k) => ({ start: bins[0] + k * bins[1], end: bins[0] + (k + 1) * bins[1], density: n / area })) : [];
  const fits = fit[1] > 0 ? [{ location: fit[0], scale: fit[1], shape: fit[2] }] : [];
  draw(place, { bins: bars, fits });
}

function inputParts(row) {
  const details = data.details[row];
  const run = columns.run[row];
  const order = state.shown.includes(row) ? state.shown : rowsBeside(row);
  const place = order.indexOf(row);
  const go = (to, text) => {
    const button = make("button", { type: "button", onclick: () => { location.hash = address(to); } }, text);
    button.disabled = to === undefined;
    return button;
  };
  const title = `Input ${columns.index[row]}, ${columns.normName[row]}, ${columns.target[row]}`;
  const close = make("button", { type: "button", autofocus: "", onclick: () => dialog.close() }, "Close");
  const buttons = make("div", { class: "screen-only" }, go(order[place - 1], "Previous"), " ", go(order[place + 1], "Next"), " ", close);
  const named = (index) => make("bdi", {}, classText(run, index));
  const name = make("p", {}, "True class: ", named(columns.label[row]), ". Predicted: ", named(details.predicted), ".");
  return [
    make("div", { class: "bar" }, make("h2", { id: "input-title" }, title), buttons),
    data.runs.length > 1 ? make("p", {}, make("bdi", {}, `Run ${data.runs[run].name}`)) : null,
    name,
    standing(row),
    ...details.flags.filter((flag) => flag[1] !== "info").map(flagBox),
    bracketTable(row, details),
    pictures(row, details),
    changes(details),
    profilePart(details, columns.estimated[row]),
    make("div", { class: "columns" }, make("div", {}, logits(run, details)), make("div", {}, fitPart(details))),
    ...details.flags.filter((flag) => flag[1] === "info").map(flagBox),
    costs(details),
    others(row),
  ].filter(Boolean);
}

// The rows of an input's run, norm, target and order: its neighbours where the table shows others, as when its address was opened.
function rowsBeside(row) {
  const same = (other) => ["run", "norm", "target", "order"].every((name) => columns[name][other] === columns[name][row]);
  return Array.from({ length: count }, (_, other) => other).filter(same);
}

function standing(row) {
  const status = columns.status[row];
  const [meaning, readable] = data.statuses[status];
  const text = `${status.replaceAll("_", " ")}: ${meaning}.${readable ? "" : " There is no estimate to read."}`;
  return make("p", { class: readable ? "lead" : "lead doubt" }, ...coded(text));
}

function flagBox([code, severity, meaning, remedy, evidence]) {
  const measured = Object.entries(evidence).flatMap(([name, one]) => [", ", `${name.replaceAll("_", " ")} `, make("bdi", {}, one)]);
  return make("div", { class: `flag ${severity}` },
    make("h3", {}, make("span", { class: "badge" }, severity), " ", make("code", {}, code)),
    make("p", {}, ...coded(`${data.texts[meaning]}.`)),
    measured.length ? make("p", { class: "evidence" }, "Measured: ", ...measured.slice(1), ".") : null,
    make("p", {}, "Try: ", ...coded(`${data.texts[remedy]}.`)));
}

function simpleTable(caption, heads, rows, numeric = 1, strong = () => false) {
  const cell = (tag, text, place, bold = false) =>
    make(tag, { class: [place >= numeric ? "number" : "", bold ? "largest" : ""].join(" ").trim() || null, scope: tag === "th" ? "col" : null },
      place >= numeric ? numberParts(text) : make("bdi", {}, text));
  const body = make("table", { "aria-label": caption },
    make("thead", {}, make("tr", {}, ...heads.map((text, place) => cell("th", text, place)))),
    make("tbody", {}, ...rows.map((row, k) =>
      make("tr", {}, ...row.map((text, place) => cell("td", String(text), place, strong(k, place)))))));
  return make("div", {}, make("p", { class: "caption" }, caption),
    make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, body));
}

function bracketTable(row, details) {
  if (columns.status[row] === "misclassified") return null;
  const [method, status, reason] = details.proof;
  const proof = method ? [method, status.replaceAll("_", " "), reason].filter(Boolean).join(", ") : "not asked for";
  const aim = details.aim === null ? "" : `towards ${classText(columns.run[row], details.aim)}`;
  const found = columns.absent[row] ? "proved: no valid input is adversarial" : details.witnessClass === null ? "no witness was found" : `${details.method}, ${classText(columns.run[row], details.witnessClass)}`;
  const inLevels = data.runs[columns.run[row]].levels && columns.norm[row] === "inf";
  const cells = (kind, text) => [text, ...(inLevels ? [levelsText(columns[kind][row], kind)] : [])];
  return simpleTable("Bracket", ["part", "distance", ...(inLevels ? ["in grey levels"] : []), "how"], [
    ["certified (proof)", ...cells("certified", show(columns.certified[row], "certified")), proof],
    ["estimated (no bound)", ...cells("estimated", estimateText(row)), aim],
    [columns.absent[row] ? "attacked" : "attacked (witness)", ...cells("attacked", attackText(row)), found],
  ], 9);
}

// Steps of an 8-bit picture; as grey_levels.write_levels does it.
function levelsText(value, kind) {
  const exact = number(value);
  return exact === null || !Number.isFinite(exact) ? MISSING : `${show(exact * 255, kind)}/255`;
}

function pictures(row, details) {
  const input = data.pictures[details.key];
  if (!input) return null;
  const [witness, difference, factor, width] = details.picture;
  const about = `Input ${columns.index[row]}`;
  const found = [[input, "Input"], [witness, "Witness"], [difference, differenceText(factor)]];
  return make("div", { class: "pictures" }, ...found.filter(([source]) => source).map(([source, text]) =>
    make("figure", {}, make("img", { src: source, alt: `${about}: ${text}`, class: width < 100 ? "coarse" : null }), make("figcaption", {}, text))));
}

// A change of more than half of the range does not fit around a middle grey: it is drawn smaller, which is no factor to read.
function differenceText(factor) {
  if (factor > 1) return `Difference × ${factor}, grey is no change`;
  if (factor === 1) return "Difference, grey is no change";
  return `Difference, grey is no change, black and white are changes by ${show(0.5 / factor)} of the range of values`;
}

function changes(details) {
  if (!details.changes) return null;
  const scaled = details.changes.some(([, , , , units]) => units !== null);
  const heads = ["feature", "input", "witness", "change", ...(scaled ? ["change in units of distance"] : [])];
  const rows = details.changes.map(([name, before, after, change, units]) => [name, before, after, change, ...(scaled ? [show(units)] : [])]);
  return simpleTable("The features that the witness changes most", heads, rows);
}

function logits(run, details) {
  const rows = details.logits.map(([index, before, after]) => [classText(run, index), before, after]);
  const winners = [details.predicted, details.witnessClass];
  const largest = (row, place) => place > 0 && details.logits[row][0] === winners[place - 1];
  return simpleTable("Largest logits, before and after; the largest of each is bold", ["class", "input", "witness"], rows, 1, largest);
}

// How fast the margin can fall at each distance, and the radius that two readings of it give.
function profilePart(details, estimated) {
  if (!details.profile) return null;
  const [, norm, radial, rise] = details.profile;
  const chart = make("div", { class: "chart", "data-chart": "profile", "data-title": "The Lipschitz profile" });
  const spent = (name, [radius, low, high]) => {
    if (radius === null) return "";
    if (radius === estimated) return ` ${name}: at the estimated radius of the bracket.`;
    return ` ${name}: at ${show(radius)} (${show(low)} to ${show(high)}).`;
  };
  const ends = spent("By the largest gradient norm", norm) + spent("By the steepest fall along rays", radial) + (norm[0] === null && radial[0] === null ? "" : " All of these are estimates, and no bounds.");
  const rises = rise === null ? "" : `; the largest gradient norm rises ${show(rise)}-fold on the way`;
  const said = `How fast the margin can fall at each distance${rises}.${
    ends ? ` Dashed: where a reading has spent the margin.${ends}` : ""}`;
  return make("div", {}, make("p", { class: "caption" }, "The Lipschitz profile"), chart, make("p", { class: "note" }, said));
}

function fitPart(details) {
  const [margin, lipschitz, gradientNorm, ball] = details.numbers;
  const names = [
    ["margin", margin],
    ["largest gradient norm, estimated", lipschitz],
    ["gradient norm at the input", gradientNorm],
    [details.profile ? "farthest distance searched" : "radius of the ball", ball],
  ];
  const rows = names.filter(([, value]) => value !== null).map(([name, value]) => [name, show(value)]);
  if (!rows.length) return "";
  return make("div", {}, simpleTable("What the estimate rests on", ["quantity", "value"], rows), extremes(details));
}

// The extreme-value fit: folded on a screen, open on paper.
function extremes(details) {
  if (!details.fit) return null;
  const [location, scale, shape, ks, p, status] = details.fit;
  const rows = [["fitted endpoint", show(location)], ["scale, shape", `${show(scale)}, ${show(shape)}`]];
  rows.push(["K-S distance, p-value", `${show(ks)}, ${show(p)}`], ["fit", `${status.replaceAll("_", " ")}, ${details.blocks} blocks`]);
  const chart = details.bins ? make("div", { class: "chart", "data-chart": "fit", "data-title": "Block maxima and the fitted density" }) : "";
  return make("details", { class: "researchers", ontoggle: () => redrawFit(dialog.querySelector("[data-chart=fit]")) },
    make("summary", {}, "For researchers: the extreme-value fit"),
    simpleTable("The reverse Weibull distribution of the block maxima", ["quantity", "value"], rows), chart, families(details));
}

// The block maxima under each extreme-value family, or why there is no comparison.
function families(details) {
  if (!details.families) return null;
  const [rows, reading] = details.families;
  const table = rows.length
    ? simpleTable("Extreme-value families fitted to the block maxima", ["family", "log-likelihood", "K-S distance", "p-value"], rows) : "";
  return make("div", { class: "families" }, table, make("p", { class: "note" }, data.texts[reading]));
}

function costs(details) {
  const curved = details.costs.some(([, , , products]) => products > 0); // a column of zeros says nothing
  const rows = details.costs.map(([part, forward, backward, products, seconds]) =>
    [part, ...[forward, backward, ...(curved ? [products] : [])].map((passes) => passes.toLocaleString("en")), show(seconds)]);
  return simpleTable("Costs", ["part", "forward", "backward", ...(curved ? ["Hessian-vector"] : []), "seconds"], rows);
}

function others(row) {
  const same = [...rowAt.values()].filter((other) => other !== row && columns.index[other] === columns.index[row]);
  if (!same.length) return null;
  const name = (other) => [
    columns.normName[other],
    columns.target[other],
    several("order") ? `order ${columns.order[other]}` : "",
    data.runs.length > 1 ? data.runs[columns.run[other]].name : "",
  ].filter(Boolean).join(" ");
  const links = same.flatMap((other) => [" ", make("a", { href: `#${address(other)}` }, name(other)), ";"]);
  return make("p", {}, "The same input:", ...links.slice(0, -1));
}

dialog.addEventListener("close", () => {
  if (rowAt.has(currentPlace())) history.replaceState(null, "", "#brackets");
});
