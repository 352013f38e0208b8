"use strict";

// The dashboard. Everything that comes from outside enters the page as text, never as markup.

const REFRESH_MS = 2000;
const BODY_LIMIT = 200000;
const STATES = ["pending", "done", "dead", "ignored", "superseded", "discarded", "refused"];
const TABS = [
  ["events", "Events"],
  ["dead", "Dead letters"],
  ["entities", "Entities"],
  ["processors", "Processors"],
  ["mapping", "Mapping"],
];

const at = (id) => document.getElementById(id);
const shown = { tab: "events", filter: { state: "", path: "", name: "" }, pages: [], event: null, list: "", data: "" };

// === Building ===

function h(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  for (const child of children.flat(2)) {
    if (child != null && child !== false) node.append(child instanceof Node ? child : String(child));
  }
  return node;
}

function replace(node, ...children) {
  node.replaceChildren(...children.flat(2).filter((child) => child != null && child !== false));
}

const badge = (state) => h("span", { class: `badge ${STATES.includes(state) || state === "waiting" ? state : ""}` }, state);
// Swedes write local times as 2026-01-31 13:05:09, which everybody reads alike.
const time = (text) => (text ? new Date(text).toLocaleString("sv-SE") : "");
// `Code` in sentences of the API.
const prose = (text) => text.split("`").map((part, place) => (place % 2 ? h("code", null, part) : part));
const empty = (text) => h("div", { class: "empty" }, text);

function ago(text) {
  const seconds = Math.max(0, (Date.now() - new Date(text)) / 1000);
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  return seconds < 3600 ? `${Math.floor(seconds / 60)} min ago` : time(text);
}

function took(event) {
  if (!event.finished_at) return "";
  const millis = new Date(event.finished_at) - new Date(event.received_at);
  return millis < 10000 ? `${millis} ms` : span(Math.round(millis / 1000));
}

function span(seconds) {
  if (seconds == null) return "-";
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
}

function bytes(count) {
  if (count < 1024) return `${count} B`;
  return count < 1048576 ? `${(count / 1024).toFixed(1)} KiB` : `${(count / 1048576).toFixed(1)} MiB`;
}

function pretty(text) {
  const cut = text.length > BODY_LIMIT ? `${text.slice(0, BODY_LIMIT)}\n… cut; all of it is in the API's answer` : text;
  // Numbers that JavaScript would round are shown as they came.
  if (text.length > BODY_LIMIT || /\d{16,}/.test(text)) return cut;
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return cut; }
}

function table(head, rows, none) {
  if (!rows.length) return h("div", { class: "table" }, empty(none));
  return h("div", { class: "table" }, h("table", null,
    h("thead", null, h("tr", null, head.map((title) => h("th", { scope: "col", class: title.toLowerCase() }, title)))),
    h("tbody", null, rows)));
}

// === Calls ===

class Failure extends Error {
  constructor(status, message) { super(message); this.status = status; }
}

async function call(path, method = "GET") {
  const headers = { "x-ocean-admin": "dashboard" };
  const token = sessionStorage.getItem("ocean-token");
  if (token) headers.authorization = `Bearer ${token}`;
  const response = await fetch(`/api/${path}`, { method, headers, cache: "no-store" });
  const body = await response.json();
  if (response.ok) return body;
  at("token").hidden = response.status !== 401;
  throw new Failure(response.status, body.message);
}

function alarm(text) {
  at("alarm").hidden = !text;
  at("alarm").textContent = text || "";
}

async function act(button, path) {
  button.disabled = true;
  try {
    const answer = await call(path, "POST");
    if (answer.replay) go("events", answer.replay);
    else if (shown.event) await open(shown.event);
    await refresh();
  } catch (error) {
    alarm(error.message);
  } finally {
    button.disabled = false;
  }
}

function replayButton(event) {
  return h("button", {
    title: "Run it again, as a new event at the end of its lane",
    onclick: (click) => { click.stopPropagation(); act(click.currentTarget, `${event.state === "dead" ? "dead" : "events"}/${event.id}/replay`); },
  }, "Replay");
}

function discardButton(event) {
  return h("button", {
    class: "danger",
    title: "Give the dead letter up for good",
    onclick: (click) => {
      click.stopPropagation();
      if (confirm(`Give up event ${event.id} for good?`)) act(click.currentTarget, `dead/${event.id}/discard`);
    },
  }, "Discard");
}

// === Lists ===

function eventRow(event) {
  const row = h("tr", {
    class: "pick", tabindex: "0", "data-id": event.id, "aria-selected": String(event.id === shown.event),
    onclick: () => go(shown.tab, event.id),
    onkeydown: (key) => { if (key.key === "Enter") go(shown.tab, event.id); },
  },
  h("td", { class: "time", title: time(event.received_at), "data-at": event.received_at }, ago(event.received_at)),
  h("td", null, badge(event.state)),
  h("td", null, event.name || h("span", { class: "faint" }, "unnamed"), h("div", { class: "faint" }, event.path)),
  h("td", { class: "id" }, event.id),
  h("td", { class: "took" }, took(event)),
  h("td", { class: "attempts" }, event.attempts || ""),
  h("td", { class: "reason" }, event.reason ? prose(event.reason) : event.next_attempt_at ? `next attempt ${time(event.next_attempt_at)}` : ""),
  h("td", { class: "acts" }, event.state === "dead" && [replayButton(event), discardButton(event)]));
  return row;
}

function eventsPath(dead) {
  const query = new URLSearchParams({ limit: "50" });
  for (const [key, value] of Object.entries(shown.filter)) if (value && !(dead && key === "state")) query.set(key, value);
  if (shown.pages.length) query.set("before", shown.pages.at(-1));
  return `${dead ? "dead" : "events"}?${query}`;
}

function events(page, dead) {
  return [
    table(["Received", "State", "Event", "Id", "Took", "Attempts", "Reason", ""], page.events.map(eventRow),
      dead ? "No dead letters: every event found its end." : "No events yet. POST one to /integration/…"),
    (shown.pages.length > 0 || page.next) && h("p", { class: "bar" },
      h("button", { disabled: !shown.pages.length, onclick: () => { shown.pages.pop(); refresh(); } }, "Newer"),
      h("button", { disabled: !page.next, onclick: () => { shown.pages.push(page.next); refresh(); } }, "Older")),
  ];
}

function entities({ entities }) {
  const rows = entities.map((entity) => h("tr", {
    class: "pick", tabindex: "0",
    onclick: () => detail(h("h2", null, `${entity.blueprint}/${entity.identifier}`), h("pre", null, JSON.stringify(entity, null, 2))),
  }, h("td", null, entity.blueprint), h("td", null, entity.identifier), h("td", null, entity.title || "")));
  return table(["Blueprint", "Identifier", "Title", "Updated"], rows, "The local catalog holds no entities yet.");
}

function processors({ processors }) {
  const rows = processors.map((one) => h("tr", null,
    h("td", { class: "docs" }, h("b", null, one.name), h("div", { class: "reason" }, prose(one.docs)), h("code", { class: "faint" }, one.location)),
    h("td", null, one.path),
    h("td", null, one.action ? "action" : one.kinds.join(", ")),
    h("td", null, [one.event, ...one.conditions].map((condition) => h("div", null, prose(condition)))),
    h("td", null, one.key.join(", "), one.coalesce && h("div", { class: "faint" }, "coalesces")),
    h("td", null, one.retries)));
  return table(["Processor", "Path", "Kinds", "Events", "Key", "Retries"], rows, "No processors.");
}

function mapping(status) {
  const problems = (status.problems || []).map((problem) => h("tr", null,
    h("td", null, problem.kind), h("td", null, h("code", null, problem.path)), h("td", { class: "error" }, problem.message)));
  return [
    h("div", { class: "card" }, h("dl", null,
      h("dt", null, "Loaded"), h("dd", null, time(status.loaded_at) || "not yet"),
      h("dt", null, "Checked"), h("dd", null, time(status.checked_at) || "-"),
      status.error && [h("dt", null, "Trouble"), h("dd", { class: "error" }, status.error)]),
    h("button", { onclick: (click) => act(click.currentTarget, "mapping/refresh") }, "Load it now")),
    h("h3", null, "Resources"),
    table(["", "Kind", "Selector"], status.resources.map((one) => h("tr", null,
      h("td", { class: "faint" }, one.index), h("td", null, one.kind), h("td", null, h("code", null, one.query)))), "None yet."),
    h("h3", null, "Problems"),
    table(["Kind", "Field", "Problem"], problems, "No problems: every program compiles."),
  ];
}

// What each tab asks for, and how it shows the answer.
const LISTS = {
  events: [() => eventsPath(false), (page) => events(page, false)],
  dead: [() => eventsPath(true), (page) => events(page, true)],
  entities: [() => "entities?limit=500", entities],
  processors: [() => "processors", processors],
  mapping: [() => "mapping", mapping],
};

// === Detail ===

function detail(...children) {
  const close = h("button", { "aria-label": "Close", onclick: () => { go(shown.tab); closeDetail(); } }, "Close");
  at("detail").hidden = false;
  const [title, ...rest] = children.flat(2);
  replace(at("detail"), h("div", { class: "bar" }, title, close), ...rest);
}

function closeDetail() {
  shown.event = null;
  at("detail").hidden = true;
  markRows();
}

function markRows() {
  for (const row of document.querySelectorAll("tr[data-id]")) row.setAttribute("aria-selected", String(row.dataset.id === shown.event));
}

function attempt(one, number) {
  const writes = (one.writes || []).map((write) => h("li", null, `${write.kind} ${write.blueprint}/${write.identifier}: ${write.answer}`));
  const notes = (one.notes || []).map((note) => h("li", { class: "faint" }, prose(note)));
  const errors = (one.error || []).map((error) => h("li", { class: "error" }, prose(error)));
  return h("div", { class: "attempt" },
    `Attempt ${number + 1}, ${time(one.at)}, ${one.took_ms} ms, ${one.updated} updated, ${one.deleted} deleted`,
    h("ul", null, errors, writes, notes));
}

function story(event) {
  const { runs = [], notes = [] } = event.story;
  if (!runs.length && !notes.length) return h("p", { class: "faint" }, "Nothing happened to it yet.");
  return [
    notes.map((note) => h("p", null, prose(note))),
    runs.map((run) => h("div", { class: `run ${run.state}` },
      h("b", null, run.processor), run.resource && ` for ${run.resource} `, " ", badge(run.state),
      (run.attempts || []).map(attempt))),
  ];
}

async function open(id) {
  shown.event = id;
  markRows();
  try {
    const event = await call(`events/${encodeURIComponent(id)}`);
    if (shown.event !== id) return;
    const facts = [
      ["Id", event.id], ["State", badge(event.state)], ["Path", event.path], ["Delivery", event.delivery],
      ["Received", time(event.received_at)], ["Finished", time(event.finished_at)], ["Next attempt", time(event.next_attempt_at)],
      ["Repeats", event.replay_of], ["Reason", event.reason && prose(event.reason)], ["Query", event.query], ["Restarts", event.restarts || null],
    ].filter(([, value]) => value);
    detail(
      h("h2", null, event.name || "Event"),
      h("dl", null, facts.map(([name, value]) => [h("dt", null, name), h("dd", null, value)])),
      h("p", null, event.state !== "pending" && event.state !== "refused" && event.body_kept && replayButton(event), " ", event.state === "dead" && discardButton(event)),
      h("h3", null, "Story"), story(event),
      h("h3", null, event.body == null ? "Body" : `Body, ${bytes(new TextEncoder().encode(event.body).length)}`),
      event.body == null ? h("p", { class: "faint" }, "Removed by retention.") : h("pre", null, pretty(event.body)),
      h("h3", null, "Headers"), h("pre", null, event.headers.map(([name, value]) => `${name}: ${value}`).join("\n")));
  } catch (error) {
    alarm(error.message);
  }
}

// === Frame ===

// The address holds tab and event, so that both can be sent to a colleague and "back" works.
function go(tab, event) {
  location.hash = event ? `${tab}/${event}` : tab;
}

function arrive() {
  const [tab, event] = location.hash.slice(1).split("/");
  const known = TABS.some(([name]) => name === tab);
  if (!known || tab !== shown.tab) {
    shown.tab = known ? tab : "events";
    shown.pages = [];
    shown.list = "";
  }
  tabs();
  if (event) open(event); else closeDetail();
  refresh();
}

function tabs() {
  replace(at("tabs"), TABS.map(([name, title]) => h("button", {
    "aria-current": name === shown.tab ? "page" : null,
    onclick: () => go(name),
  }, title)));
}

function filters() {
  const change = (key) => (input) => { shown.filter[key] = input.target.value.trim(); shown.pages = []; refresh(); };
  return h("div", { class: "filters" },
    shown.tab === "events" && h("select", { "aria-label": "State", onchange: change("state") },
      h("option", { value: "" }, "all states"), STATES.map((state) => h("option", { value: state, selected: state === shown.filter.state }, state))),
    h("input", { placeholder: "event name", "aria-label": "Event name", value: shown.filter.name, onchange: change("name") }),
    h("input", { placeholder: "path, as in /webhook", "aria-label": "Path", value: shown.filter.path, onchange: change("path") }));
}

function cards(status) {
  const { queue } = status;
  const card = (title, value, bad) => h("div", { class: bad ? "card bad" : "card" }, h("b", null, value), h("span", null, title));
  replace(at("cards"),
    card("pending", queue.pending), card("pending bytes", bytes(queue.pending_bytes)), card("oldest pending", span(queue.oldest_seconds)),
    card("dead letters", queue.dead, queue.dead > 0), card("uptime", span(status.uptime_seconds)));
  const troubles = status.troubles.map((trouble) => `${trouble.dependency}: ${trouble.reason}`);
  if (queue.refusing) troubles.unshift(`Events are refused: ${queue.refusing}`);
  alarm(troubles.join("\n"));
}

let turn = 0;

async function refresh() {
  const mine = ++turn;
  const tab = shown.tab;
  try {
    cards(await call("status"));
    const [path, show] = LISTS[tab];
    const answer = await call(path());
    // A later refresh, or another tab, has overtaken this one.
    if (mine !== turn) return;
    const filtered = tab === "events" || tab === "dead";
    const data = JSON.stringify(answer);
    if (shown.list !== tab) replace(at("list"), filtered && filters(), h("div", { id: "rows" }));
    // What did not change stays, and with it focus, selection and a click that is under way.
    if (shown.list !== tab || shown.data !== data) replace(at("rows"), show(answer));
    for (const cell of document.querySelectorAll("[data-at]")) cell.textContent = ago(cell.dataset.at);
    shown.list = tab;
    shown.data = data;
    at("token").hidden = true;
    at("pulse").className = "";
    at("pulse").textContent = "live";
  } catch (error) {
    if (mine !== turn) return;
    const known = error instanceof Failure;
    if (known && error.status === 501) { shown.list = ""; replace(at("list"), h("div", { class: "table" }, empty(error.message))); }
    else if (known && error.status !== 401) alarm(error.message);
    at("pulse").className = known ? "" : "lost";
    at("pulse").textContent = known ? "live" : "no connection";
  }
}

at("token").addEventListener("submit", (submit) => {
  submit.preventDefault();
  sessionStorage.setItem("ocean-token", new FormData(submit.target).get("token"));
  submit.target.reset();
  refresh();
});

addEventListener("hashchange", arrive);
arrive();
setInterval(() => { if (!document.hidden) refresh(); }, REFRESH_MS);
