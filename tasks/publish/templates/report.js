"use strict";
const id = (name) => document.getElementById(name);
const [query, found, viewer, theme] = ["query", "found", "viewer", "theme"].map(id);
const items = [...document.querySelectorAll("[data-open]")].map((button) => {
  const row = button.closest("li");
  const template = row.querySelector("template");
  const text = [button.dataset.open, button.textContent, template.content.textContent].join(" ").toLowerCase();
  return { button, row, template, list: button.closest("[data-walk]"), text: text.replaceAll("_", " ") };
});
let open = null;

const shownIn = (list) => items.filter((item) => item.list === list && !item.row.hidden);

/* One tab stop a list; arrows move inside it. */
function restop(list) {
  const shown = shownIn(list);
  const current = shown.find((item) => item.button.tabIndex === 0) ?? shown[0];
  for (const item of items) if (item.list === list) item.button.tabIndex = item === current ? 0 : -1;
}

function focusOn(item) {
  for (const other of items) if (other.list === item.list) other.button.tabIndex = -1;
  item.button.tabIndex = 0;
  item.button.focus();
}

function search() {
  const words = query.value.toLowerCase().replaceAll("_", " ").split(/\s+/).filter(Boolean);
  for (const item of items) item.row.hidden = !words.every((word) => item.text.includes(word));
  const told = [];
  for (const list of document.querySelectorAll("[data-walk]")) {
    const shown = shownIn(list).length;
    const all = list.children.length;
    list.parentElement.querySelector(".none").hidden = shown > 0 || all === 0;
    if (all) told.push(`${shown} of ${all} ${list.parentElement.id}`);
    restop(list);
  }
  found.textContent = words.length ? told.join(", ") : "";
}

function columns(shown) {
  const top = shown[0].row.offsetTop;
  const second = shown.findIndex((item) => item.row.offsetTop > top);
  return second < 0 ? shown.length : second;
}

function walk(event, item) {
  const shown = shownIn(item.list);
  const at = shown.indexOf(item);
  const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns(shown), ArrowDown: columns(shown) };
  const ends = { Home: 0, End: shown.length - 1 };
  const target = event.key in steps ? at + steps[event.key] : ends[event.key];
  if (target === undefined) return;
  event.preventDefault();
  if (shown[target]) focusOn(shown[target]);
}

function show(item) {
  open = item;
  const shown = shownIn(item.list);
  id("viewer-title").textContent = item.button.dataset.open;
  id("viewer-count").textContent = `${shown.indexOf(item) + 1} of ${shown.length}`;
  const film = item.row.querySelector("img");
  id("viewer-film").hidden = !film;
  if (film) Object.assign(id("viewer-film").firstElementChild, { src: film.src, alt: film.alt });
  const shared = id("shared").cloneNode(true);
  shared.removeAttribute("id");
  const text = id("viewer-text");
  text.replaceChildren(item.template.content.cloneNode(true));
  text.querySelector(".origin").append(...shared.children);
  id("previous").disabled = item === shown[0];
  id("next").disabled = item === shown.at(-1);
  if (!viewer.open) viewer.showModal();
  text.scrollTop = 0;
  viewer.querySelector(".viewer-body").scrollTop = 0;
  history.replaceState(null, "", `#${encodeURIComponent(item.button.dataset.open)}`);
}

function step(by) {
  const shown = shownIn(open.list);
  const target = shown[shown.indexOf(open) + by];
  if (target) show(target);
}

function follow() {
  const item = items.find((one) => `#${encodeURIComponent(one.button.dataset.open)}` === location.hash);
  if (item) show(item);
}

function paint(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  theme.setAttribute("aria-pressed", String(dark));
}

const system = matchMedia("(prefers-color-scheme: dark)");
theme.setAttribute("aria-pressed", String(system.matches));
theme.addEventListener("click", () => paint(theme.getAttribute("aria-pressed") !== "true"));
system.addEventListener("change", (event) => {
  if (!document.documentElement.dataset.theme) theme.setAttribute("aria-pressed", String(event.matches));
});
query.addEventListener("input", search);
for (const item of items) {
  item.button.addEventListener("click", () => show(item));
  item.button.addEventListener("keydown", (event) => walk(event, item));
}
id("previous").addEventListener("click", () => step(-1));
id("next").addEventListener("click", () => step(1));
id("close").addEventListener("click", () => viewer.close());
viewer.addEventListener("click", (event) => event.target === viewer && viewer.close());
viewer.addEventListener("close", () => {
  history.replaceState(null, "", location.pathname);
  focusOn(open);
});
viewer.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft") step(-1);
  if (event.key === "ArrowRight") step(1);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== query && !viewer.open) {
    event.preventDefault();
    query.focus();
  } else if (event.key === "Escape" && document.activeElement === query) {
    query.value = "";
    search();
  }
});
addEventListener("hashchange", follow);
search();
follow();
