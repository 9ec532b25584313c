"use strict";
// What all parts share: the data, numbers as text, elements, the theme, and copying.

const data = JSON.parse(document.getElementById("data").textContent);
const columns = data.columns;
const count = columns.index ? columns.index.length : 0;
const MISSING = "–";
const [BELOW, NONE_EXISTS] = data.words; // what stands in the place of a number: row_words.py

// Infinity is the text "inf" in the data.
const number = (value) => (value === "inf" ? Infinity : value === "-inf" ? -Infinity : value);

// Three digits, no fewer either; a proof is never rounded up, a witness never down. As marks.write_number does it.
function show(value, kind) {
  const exact = number(value);
  if (exact === null || exact === undefined) return MISSING;
  if (!Number.isFinite(exact)) return exact > 0 ? "∞" : "-∞";
  if (exact === 0) return "0";
  const unit = 10 ** (Math.floor(Math.log10(Math.abs(exact))) - 2);
  const near = Number(exact.toPrecision(3));
  const wrong = (kind === "certified" && near > exact) || (kind === "attacked" && near < exact);
  const safe = wrong ? Number((near + (kind === "certified" ? -unit : unit)).toPrecision(3)) : near;
  const plain = Math.abs(safe) >= 1e-4 && Math.abs(safe) < 1e6;
  return plain ? safe.toFixed(Math.max(0, 2 - Math.floor(Math.log10(Math.abs(safe))))) : safe.toExponential(2);
}

// An element with attributes and children; text stays text.
function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

// Text with its parts between backticks as code: as render.coded does it.
function coded(text) {
  const parts = text.split("`");
  return parts.length % 2 ? parts.map((part, place) => (place % 2 ? make("code", {}, part) : part)) : [text];
}

// A number and its interval: a line may end between them only.
function numberParts(text) {
  const place = text.indexOf(" (");
  const parts = place < 0 ? [text] : [text.slice(0, place), text.slice(place + 1)];
  return make("bdi", {}, ...parts.flatMap((part) => [" ", make("span", { class: "whole" }, part)]).slice(1));
}

const className = (run, index) => data.runs[run].classes[index] ?? String(index);
const classText = (run, index) =>
  className(run, index) === String(index) ? `class ${index}` : `class ${index}, ${className(run, index)}`;

// Each input's address on this page, and back.
function address(row) {
  const run = data.runs.length > 1 ? `-run${columns.run[row] + 1}` : "";
  return `input-${columns.index[row]}-${columns.norm[row]}-${columns.target[row]}-order${columns.order[row]}${run}`;
}
const rowAt = new Map(Array.from({ length: count }, (_, row) => [address(row), row]));

document.getElementById("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  redrawCharts();
});

async function copy(button) {
  const text = data.copies[button.dataset.copy][button.dataset.form];
  const said = button.parentElement.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(text);
    said.textContent = `${button.dataset.form} copied`;
  } catch {
    const area = make("textarea", { readonly: "", "aria-label": `The table as ${button.dataset.form}` });
    area.value = text;
    button.parentElement.parentElement.querySelector("textarea")?.remove();
    button.parentElement.after(area);
    area.select();
    said.textContent = "select and copy the text below";
  }
}
for (const button of document.querySelectorAll("[data-copy]")) button.addEventListener("click", () => copy(button));
