"use strict";

// Shows the items (cases, or rows of the matrix) that the form asks for.
const form = document.getElementById("filter");
const items = [...document.querySelectorAll(".item")];
const texts = new Map();

// Lower-cased once, and only when somebody searches.
function textOf(item) {
  if (!texts.has(item)) {
    texts.set(item, item.textContent.toLowerCase());
  }
  return texts.get(item);
}

function filter() {
  const chosen = new FormData(form);
  const verdicts = new Set(chosen.getAll("verdict"));
  const area = chosen.get("area");
  const words = chosen.get("text").toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const item of items) {
    const fits =
      item.dataset.verdict.split(" ").some((verdict) => verdicts.has(verdict)) &&
      (area === "" || item.dataset.area === area) &&
      words.every((word) => textOf(item).includes(word));
    item.hidden = !fits;
    shown += fits ? 1 : 0;
  }
  document.getElementById("shown").textContent = String(shown);
}

// A link to a case opens it, whatever was filtered away.
function follow() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) {
    target.hidden = false;
    target.open = true;
    target.scrollIntoView();
  }
}

if (form) {
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  filter();
}
window.addEventListener("hashchange", follow);
follow();
