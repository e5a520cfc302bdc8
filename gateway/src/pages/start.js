
"use strict";
// What people wrote is put in as text, never as markup.
const EVENTS = 6, PAGES = 5, EVERY = 10000, PATIENCE = 8000;
const $ = (id) => document.getElementById(id);

function node(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

async function ask(path) {
  const answer = await fetch(path, { headers: { accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE) });
  return { answer, body: await answer.json() };
}

const kinds = { ok: "good", starting: "warn", draining: "warn", degraded: "warn" };
const kind = (word) => kinds[word] || "bad";

// A part is a word, or an object that has one under "status".
const word = (part) => String(part !== null && typeof part === "object" ? part.status : part);

async function showState() {
  const chip = $("state"), list = $("parts");
  try {
    const { body } = await ask("/readyz");
    chip.textContent = body.status === "ok" ? "ready" : String(body.status);
    chip.className = "chip " + kind(body.status);
    const parts = Object.entries(body.parts || { "this process": body.status });
    list.replaceChildren(...parts.map(([name, part]) => {
      const says = word(part);
      return node("li", { class: "chip " + kind(says) }, says === "ok" ? name : name + ": " + says);
    }));
  } catch {
    chip.textContent = "no answer";
    chip.className = "chip bad";
    list.replaceChildren(node("li", { class: "chip bad" }, "nobody answers"));
  }
  $("asked").textContent = "As of " + new Date().toLocaleTimeString();
}

// The link to the next page: a path of this server, or nothing.
function next(answer) {
  const found = /^<(\/[^/>][^>]*)>; rel="next"/.exec(answer.headers.get("link") || "");
  return found && found[1];
}

function when(text) {
  return new Date(text).toLocaleString(undefined, { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
}

function card(event) {
  const left = event.available === 1 ? "1 place left" : event.available + " places left";
  return node("a", { class: "card event", href: "/events/" + encodeURIComponent(event.id) },
    node("span", { class: "when" }, when(event.start_time)),
    node("strong", {}, event.title),
    node("span", { class: "soft" }, event.location), node("br"),
    node("span", { class: "small left" }, left));
}

async function showEvents() {
  const place = $("events");
  try {
    const found = [];
    let path = "/events?has_seats=true&is_active=true&limit=50&starts_after=" + encodeURIComponent(new Date().toISOString());
    for (let page = 0; page < PAGES && path && found.length < EVENTS; page++) {
      const { answer, body } = await ask(path);
      if (!answer.ok) throw new Error();
      found.push(...body.filter((event) => event.status === "open"));
      path = next(answer);
    }
    const cards = found.slice(0, EVENTS).map(card);
    place.replaceChildren(...(cards.length ? cards : [node("p", { class: "soft" }, "None right now.")]));
  } catch {
    place.replaceChildren(node("p", { class: "soft" }, "The events cannot be read right now."));
  }
}

async function show() {
  if (!document.hidden) await Promise.all([showState(), showEvents()]);
  setTimeout(show, EVERY);
}
document.addEventListener("visibilitychange", () => { if (!document.hidden) showState(); });
show();
