// Charts: each specification is drawn by Vega-Embed when its place comes into view or when the browser is idle.

const NARROW = 480; // pixels of a place: in narrower ones the names on an axis are slanted
const NAME_WIDTH = 230; // pixels of a name in a legend that is not known before it is drawn, with its symbol
const drawn = new Map(); // place → the view that Vega-Embed made

// Colours of the page for axes and legends.
function theme() {
  const style = (name) => {
    const probe = document.body.appendChild(make("span", { style: `color: var(${name})` }));
    const colour = getComputedStyle(probe).color;
    probe.remove();
    return colour;
  };
  const [ink, soft, rule] = ["--ink", "--soft", "--rule"].map(style);
  const axis = { labelColor: soft, titleColor: ink, gridColor: rule, domainColor: soft, tickColor: soft, labelFlush: false, labelSeparation: 4 };
  const legend = { labelColor: ink, titleColor: ink, layout: { direction: "vertical" } }; // one below the other: none is cut
  return { axis, legend, font: getComputedStyle(document.body).fontFamily, view: { stroke: null } };
}

// What fits the width of a place: so many names beside each other in the legends above a chart, and slanted names on an axis.
function fitTo(width, part) {
  if (!part || typeof part !== "object") return;
  if (part.legend?.orient === "top") {
    const known = part.scale?.domain?.map((name) => 40 + 6 * String(name).length) ?? [NAME_WIDTH];
    part.legend.columns = Math.max(1, Math.floor((width - 60) / Math.max(...known)));
    part.legend.labelLimit = Math.min(200, width - 100);
  }
  if (width < NARROW && part.x?.type === "nominal" && part.x.axis) part.x.axis.labelAngle = -40;
  Object.values(part).forEach((inner) => fitTo(width, inner));
}

// Draw a specification in its place, with rows by the name of their data: one at a time, in the order of the calls.
let line = Promise.resolve();
function draw(place, rows = {}) {
  const mine = line.then(() => drawNow(place, rows));
  line = mine.catch(() => {});
  return mine;
}

async function drawNow(place, rows) {
  const spec = structuredClone(data.specs[place.dataset.chart]);
  fitTo(Math.min(place.clientWidth, paperWidth(place)), spec); // paper is narrow, and a legend cannot be folded later
  spec.datasets = rows;
  if (place.dataset.chart === "brackets") setBrackets(spec, rows.rows);
  drawn.get(place)?.finalize();
  drawn.delete(place);
  const large = Object.values(rows).some((members) => members.length > 300);
  const made = await vegaEmbed(place, spec, {
    ast: true,
    config: theme(),
    logLevel: 1, // errors only: a filter that leaves nothing is no warning
    renderer: large ? "canvas" : "svg",
    actions: { export: true, source: false, compiled: false, editor: false },
    downloadFileName: `clearance-${place.dataset.chart}`,
  });
  describe(place);
  drawn.set(place, made);
  return made.view;
}

// Every so many ranks the axis names one, and the size of a mark: as figures/brackets.py does it, by its numbers.
const rankStep = (count) => data.rules.rankSteps.find((step) => count <= data.rules.mostTicks * step);
const dotSize = (count) =>
  Math.min(data.rules.largestDot, Math.max(data.rules.smallestDot, data.rules.sharedArea / Math.max(1, count)));

// The axis calls a rank by the number of its input, from the first on: inputs are counted from 0.
function setBrackets(spec, rows) {
  const named = rows.filter((_, place) => place % rankStep(rows.length) === 0);
  const values = { dot: dotSize(rows.length), ticks: named.map((one) => one.rank), names: named.map((one) => String(one.index)) };
  for (const one of spec.params) one.value = values[one.name];
}

// A chart is one picture to a screen reader: the tables hold its numbers.
function describe(place) {
  const picture = place.querySelector("svg.marks, canvas");
  picture.setAttribute("role", "img");
  picture.setAttribute("aria-label", place.dataset.title);
  for (const part of picture.children) part.setAttribute("aria-hidden", "true");
  place.querySelector("summary").setAttribute("aria-label", `Save this chart: ${place.dataset.title}`);
}

const waiting = new Set();
function drawWaiting(place) {
  if (waiting.delete(place)) return place.dataset.chart === "brackets" ? drawBrackets() : draw(place);
  return null;
}

const watcher = new IntersectionObserver(
  (seen) => seen.filter((one) => one.isIntersecting).forEach((one) => drawWaiting(one.target)),
  { rootMargin: "200px" },
);

const whenIdle = (job) => (window.requestIdleCallback ?? setTimeout)(job, { timeout: 300 });

async function drawWhenIdle() {
  const [place] = waiting;
  if (!place) return;
  try {
    await drawWaiting(place);
  } finally {
    whenIdle(drawWhenIdle);
  }
}

function startCharts() {
  for (const place of document.querySelectorAll("main [data-chart]")) {
    waiting.add(place);
    watcher.observe(place);
  }
  whenIdle(drawWhenIdle);
}

// Width in pixels of a chart on paper, alone and beside another; without it a wide chart would shrink, and its texts too.
const PAPER = { whole: 640, half: 310 };
const paperWidth = (place) => (place.closest(".panels")?.children.length > 1 ? PAPER.half : PAPER.whole);
const onScreen = new Map(); // chart on paper → its width on the screen
function fitToPaper() {
  for (const [place, made] of drawn) {
    if (!place.closest("main") || data.specs[place.dataset.chart].width !== "container") continue;
    onScreen.set(made, place.querySelector("svg.marks, canvas").clientWidth);
    made.view.width(paperWidth(place)).run().resize().run(); // the second time with room for the new labels
  }
}

function fitToScreen() {
  for (const [made, width] of onScreen) made.view.width(width).run().resize().run();
  onScreen.clear();
}

function redrawCharts() {
  for (const place of drawn.keys()) {
    if (place.isConnected && place.closest("main")) waiting.add(place);
    else drawn.delete(place);
  }
  drawWhenIdle();
  redrawInput();
}
