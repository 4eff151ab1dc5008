// The explorer: asks for an API key, shows releases. Every string of a release goes through textContent.

import { bar, count, el, percent, range, small, words } from "./draw.js";

const THRESHOLD_NOTE = "fewer than the threshold, not shown";
const HIDDEN_VALUES_LISTED = 3;

const $ = (id) => document.getElementById(id);

let key = "";
let releases = [];

/* ---- talking to the server ---- */

class Refusal extends Error {}

const REFUSALS = {
  401: "This key is not valid: it may be mistyped, revoked or expired.",
  403: "This key's role may not read releases. Ask whoever keeps the policy.",
  404: "This release is not here any more.",
  503: "The server can't read its data at the moment. Try again later.",
};

async function fetched(address) {
  let answer;
  try {
    answer = await fetch(address, { headers: { Authorization: `Bearer ${key}` }, credentials: "omit" });
  } catch {
    throw new Refusal("The server can't be reached.");
  }
  if (!answer.ok) throw new Refusal(REFUSALS[answer.status] ?? `The server answered with status ${answer.status}.`);
  return answer.json();
}

function complain(error) {
  $("message").textContent = error instanceof Refusal ? error.message : "This page failed to show the release.";
  $("message").hidden = false;
}

/* ---- signing in and choosing ---- */

function showSignIn() {
  key = "";
  releases = [];
  $("controls").hidden = true;
  $("release").hidden = true;
  $("sign-in").hidden = false;
  $("status").textContent = "";
  for (const id of ["summary", "topics", "detail", "card", "releases"]) $(id).replaceChildren();
  $("key").focus();
}

async function signIn(candidate) {
  key = candidate.trim();
  $("key").value = "";
  $("message").hidden = true;
  $("status").textContent = "Loading…";
  try {
    if (!/^[\x21-\x7e]+$/.test(key)) throw new Refusal(REFUSALS[401]);
    releases = (await fetched("/v1/releases")).releases;
  } catch (error) {
    showSignIn();
    complain(error);
    return;
  }
  $("sign-in").hidden = true;
  $("controls").hidden = false;
  $("releases").replaceChildren(
    ...releases.map((one) => el("option", { value: one.id }, `${one.dataset} · ${one.epoch} · ${one.id.slice(0, 10)}${one.mode === "guarded" ? " · guarded" : ""}`)),
  );
  $("releases").disabled = releases.length === 0;
  if (releases.length === 0) {
    $("status").textContent = "No release yet. The gateway makes one when an epoch is complete.";
    return;
  }
  await choose(releases[0].id);
}

async function choose(id) {
  $("message").hidden = true;
  $("release").hidden = true;
  $("status").textContent = "Loading…";
  try {
    const release = await fetched(`/v1/releases/${encodeURIComponent(id)}`);
    if ($("releases").value !== id || !key) return;
    show(release);
    $("release").hidden = false;
  } catch (error) {
    complain(error);
  }
  $("status").textContent = "";
}

/* ---- one release ---- */

function guardedBadge(guarantee) {
  if (guarantee.mode !== "guarded") return null;
  return el("p", { class: "badge guarded" }, el("strong", {}, "Guarded mode. "), "Names and topics carry no formal guarantee.");
}

function show(release) {
  const guarantee = release.guarantee;
  const figure = (label, value, note) =>
    el("div", { class: "figure" }, el("dt", {}, label), el("dd", {}, value, note ? el("small", {}, note) : null));
  const badge = guardedBadge(guarantee);
  $("summary").replaceChildren(
    ...[badge].filter(Boolean),
    el(
      "dl",
      { class: "figures" },
      figure("Dataset", words(release.dataset), `epoch ${release.epoch}`),
      figure("Users", `≈ ${count.format(release.totals.users.value)}`, range(release.totals.users)),
      figure("Conversations", `≈ ${count.format(release.totals.conversations.value)}`, range(release.totals.conversations)),
      figure("Topics", count.format(release.topics.length), `made ${release.created.slice(0, 10)}`),
      figure("Privacy loss ε", small(guarantee.epsilon), `per ${guarantee.unit}, δ = ${small(guarantee.delta)}`),
      el("div", { class: "figure" }, el("dt", { class: "unseen" }, "More"), el("dd", {}, el("a", { href: "#card" }, "What is guaranteed"))),
    ),
  );
  showTree(release);
  showTopic(null, release);
  showCard(release);
}

/* ---- the tree ---- */

function showTree(release) {
  const below = new Map();
  for (const topic of [...release.topics].sort((a, b) => b.users.value - a.users.value)) {
    const siblings = below.get(topic.parent) ?? [];
    siblings.push(topic);
    below.set(topic.parent, siblings);
  }
  const tops = below.get(null) ?? [];
  $("expand").hidden = $("collapse").hidden = !release.topics.some((topic) => topic.parent !== null);
  if (tops.length === 0) {
    const why = "Nothing is shown: no topic had enough users. A longer epoch or more users would help.";
    $("topics").replaceChildren(el("p", { class: "quiet" }, why));
    return;
  }
  const whole = Math.max(...tops.map((topic) => topic.users.high));
  const branch = (topic, depth, position, size) => {
    const children = below.get(topic.id) ?? [];
    const row = el(
      "div",
      { class: "row" },
      el("span", { class: "twisty", "aria-hidden": "true" }),
      el("span", { class: "name" }, words(topic.name)),
      bar(topic.users, whole),
      el("span", { class: "number" }, count.format(topic.users.value)),
    );
    const item = el(
      "li",
      {
        role: "treeitem",
        tabindex: "-1",
        "aria-level": depth,
        "aria-posinset": position,
        "aria-setsize": size,
        "aria-selected": "false",
        "aria-expanded": children.length ? String(depth === 1) : null,
        "aria-label": `${topic.name}, about ${count.format(topic.users.value)} users, ${range(topic.users)}`,
        "data-topic": topic.id,
      },
      row,
    );
    item.style.setProperty("--depth", depth - 1);
    if (children.length) {
      item.append(el("ul", { role: "group" }, ...children.map((child, at) => branch(child, depth + 1, at + 1, children.length))));
    }
    return item;
  };
  const tree = el(
    "ul",
    { role: "tree", "aria-labelledby": "topics-heading" },
    ...tops.map((topic, at) => branch(topic, 1, at + 1, tops.length)),
  );
  tree.querySelector("[role=treeitem]").tabIndex = 0;
  tree.addEventListener("click", (event) => onTreeClick(event, release));
  tree.addEventListener("keydown", (event) => onTreeKey(event, release));
  $("topics").replaceChildren(
    el("p", { class: "quiet" }, "Users behind each topic, with noise. The marked end of a bar is the 95 % interval of that noise."),
    tree,
  );
}

const itemOf = (node) => node.closest("[role=treeitem]");
const isOpen = (item) => item.getAttribute("aria-expanded") === "true";
const setOpen = (item, open) => item.hasAttribute("aria-expanded") && item.setAttribute("aria-expanded", String(open));
const visibleItems = () =>
  [...$("topics").querySelectorAll("[role=treeitem]")].filter((item) => !item.parentElement.closest("[aria-expanded=false]"));

function focusItem(item) {
  if (!item) return;
  for (const other of $("topics").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
  item.tabIndex = 0;
  item.focus();
}

function select(item, release) {
  for (const other of $("topics").querySelectorAll("[aria-selected=true]")) other.setAttribute("aria-selected", "false");
  item.setAttribute("aria-selected", "true");
  showTopic(item.dataset.topic, release);
  $("announcement").textContent = `Showing ${item.getAttribute("aria-label")}`;
}

function onTreeClick(event, release) {
  const item = itemOf(event.target);
  if (!item) return;
  focusItem(item);
  if (event.target.classList.contains("twisty")) {
    setOpen(item, !isOpen(item));
    return;
  }
  select(item, release);
  if (matchMedia("(max-width: 52rem)").matches) $("detail").scrollIntoView();
}

function onTreeKey(event, release) {
  const item = itemOf(event.target);
  if (!item || event.ctrlKey || event.metaKey || event.altKey) return;
  const items = visibleItems();
  const at = items.indexOf(item);
  const moves = {
    ArrowDown: () => focusItem(items[at + 1]),
    ArrowUp: () => focusItem(items[at - 1]),
    Home: () => focusItem(items[0]),
    End: () => focusItem(items.at(-1)),
    ArrowRight: () => (item.hasAttribute("aria-expanded") && !isOpen(item) ? setOpen(item, true) : focusChild(item)),
    ArrowLeft: () => (isOpen(item) ? setOpen(item, false) : focusItem(itemOf(item.parentElement))),
    Enter: () => select(item, release),
    " ": () => select(item, release),
  };
  const move = moves[event.key] ?? (/^\S$/u.test(event.key) ? () => focusItem(startingWith(event.key, items, at)) : null);
  if (!move) return;
  event.preventDefault();
  move();
}

const focusChild = (item) => focusItem(item.querySelector(":scope > [role=group] > [role=treeitem]"));

function startingWith(letter, items, at) {
  const wanted = letter.toLowerCase();
  const order = [...items.slice(at + 1), ...items.slice(0, at)];
  return order.find((item) => item.querySelector(".name").textContent.toLowerCase().startsWith(wanted));
}

function setAll(open) {
  for (const item of $("topics").querySelectorAll("[aria-expanded]")) setOpen(item, open);
  const shown = visibleItems();
  const current = $("topics").querySelector("[tabindex='0']");
  if (current && !shown.includes(current)) {
    current.tabIndex = -1;
    shown[0].tabIndex = 0;
  }
}

/* ---- one topic ---- */

function showTopic(id, release) {
  const topic = release.topics.find((one) => one.id === id);
  const heading = el("h2", { id: "detail-heading" }, topic ? words(topic.name) : "Topic");
  if (!topic) {
    const facets = Object.keys(release.facets).length > 0;
    const hint = el("p", { class: "quiet" }, "Choose a topic to see its phrases and how it divides.");
    $("detail").replaceChildren(heading, hint, ...(facets ? [el("h3", {}, "All conversations")] : []), ...facetBlocks(release.facets));
    return;
  }
  const measure = (label, estimate) =>
    el("div", { class: "figure" }, el("dt", {}, label), el("dd", {}, `≈ ${count.format(estimate.value)}`, el("small", {}, range(estimate))));
  $("detail").replaceChildren(
    heading,
    ...[guardedBadge(release.guarantee)].filter(Boolean),
    el("p", {}, words(topic.description)),
    el("dl", { class: "figures" }, measure("Users", topic.users), measure("Conversations", topic.conversations)),
    ...phraseBlock(topic.phrases),
    ...facetBlocks(topic.facets),
    el("p", { class: "quiet" }, `Topic ${topic.id}, level ${topic.level}. Ranges are 95 % intervals of the noise; they do not show the effect of the limits on each ${release.guarantee.unit}'s contribution.`),
  );
}

function phraseBlock(phrases) {
  if (phrases.length === 0) return [];
  const chip = ({ text, users }) =>
    el("li", { title: users ? `${range(users)} users` : THRESHOLD_NOTE }, words(text), el("small", {}, users ? count.format(users.value) : "few"));
  return [el("h3", {}, "Phrases"), el("ul", { class: "phrases" }, ...phrases.map(chip))];
}

function facetBlocks(facets) {
  return Object.entries(facets).flatMap(([name, values]) => [el("h3", {}, words(name)), facetTable(name, values)]);
}

function facetTable(name, values) {
  const shown = values.filter((one) => one.users);
  const hidden = values.filter((one) => !one.users);
  const whole = Math.max(1, ...shown.map((one) => one.users.high));
  const rows = shown.map(({ value, users }) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, words(value)),
      el("td", { class: "wide" }, bar(users, whole)),
      el("td", { class: "number" }, count.format(users.value), el("small", {}, range(users))),
    ),
  );
  const note = (label) => el("tr", { class: "hidden-value" }, el("th", { scope: "row" }, label), el("td", { colspan: "2" }, THRESHOLD_NOTE));
  if (hidden.length <= HIDDEN_VALUES_LISTED) rows.push(...hidden.map((one) => note(words(one.value))));
  else rows.push(note(`${hidden.length} ${shown.length ? "other " : ""}values`));
  const head = el("tr", {}, ...[name, "share", "users"].map((title) => el("th", { scope: "col" }, title)));
  return el("table", { class: "facet" }, el("thead", { class: "unseen" }, head), el("tbody", {}, ...rows));
}

/* ---- the guarantee card ---- */

function showCard(release) {
  const guarantee = release.guarantee;
  const entry = (term, ...value) => [el("dt", {}, term), el("dd", {}, ...value)];
  const bounds = Object.entries(guarantee.bounds).map(([name, value]) => el("li", {}, `${name.replaceAll("_", " ")}: at most ${count.format(value)}`));
  const list = (title, sentences, kind) =>
    el("div", { class: kind }, el("h3", {}, title), el("ul", {}, ...sentences.map((sentence) => el("li", {}, words(sentence)))));
  $("card").replaceChildren(
    el("h2", { id: "card-heading" }, "Guarantee"),
    guarantee.mode === "guarded"
      ? el("p", { class: "badge guarded" }, "Guarded: heuristics, no formal guarantee for names")
      : el("p", { class: "badge formal" }, "Formal: differentially private"),
    el(
      "dl",
      { class: "terms" },
      ...entry("Unit of privacy", guarantee.unit),
      ...entry("ε, δ", `${small(guarantee.epsilon)}, ${small(guarantee.delta)}`),
      ...entry("ρ (zCDP)", small(guarantee.rho)),
      ...entry("Neighbouring", words(guarantee.neighbouring)),
      ...entry("Bounds", el("ul", {}, ...bounds)),
      ...entry("Policy", words(release.policy.name), el("code", {}, words(release.policy.digest))),
      ...(release.models ?? []).flatMap((one) => entry(`Model for ${one.role}`, words(`${one.model} at ${one.host}`))),
      ...entry("Signed by", el("code", {}, release.signature.key_id)),
    ),
    el("div", { class: "promises" }, list("Covers", guarantee.covers, "covers"), list("Does not cover", guarantee.does_not_cover, "uncovered")),
    el("h3", {}, "Mechanisms"),
    mechanismTable(guarantee.mechanisms),
  );
}

function mechanismTable(mechanisms) {
  const titles = ["Name", "Statistic", "Share", "ρ", "δ", "σ", "Threshold", "ℓ₀", "ℓ∞", "ℓ₂", "Values"];
  const row = (one) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, words(one.name)),
      el("td", {}, words(one.statistic), el("small", {}, one.mechanism.replaceAll("_", " "))),
      el("td", { class: "number" }, percent.format(one.share)),
      ...[small(one.rho), small(one.delta), small(one.sigma), one.threshold ?? "–", one.l0, small(one.linf), small(one.l2), one.values ?? "–"].map((value) =>
        el("td", { class: "number" }, String(value)),
      ),
    );
  const head = el("tr", {}, ...titles.map((title) => el("th", { scope: "col" }, title)));
  const table = el("table", {}, el("thead", {}, head), el("tbody", {}, ...mechanisms.map(row)));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Mechanisms" }, table);
}

/* ---- start ---- */

// A key in the fragment never reaches a server or a log; it leaves the address bar before anything else happens.
function handedKey() {
  const handed = new URLSearchParams(location.hash.slice(1)).get("key");
  if (handed !== null) history.replaceState(null, "", location.pathname);
  return handed;
}

const handed = handedKey();

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  signIn($("key").value);
});
$("sign-out").addEventListener("click", () => {
  $("message").hidden = true;
  showSignIn();
});
$("releases").addEventListener("change", (event) => choose(event.target.value));
addEventListener("hashchange", () => {
  const later = handedKey();
  if (later) signIn(later);
});
$("expand").addEventListener("click", () => setAll(true));
$("collapse").addEventListener("click", () => setAll(false));

if (handed) signIn(handed);
else showSignIn();
