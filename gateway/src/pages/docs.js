
"use strict";
// Everything of the document is put in as text, never as markup.
const DEPTH = 6, SHOWN = 200000, PATIENCE = 30000, FRAMES = 100;
const METHODS = ["get", "post", "put", "patch", "delete"];
const $ = (id) => document.getElementById(id);
let doc = {};

function node(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return made;
}

// Paragraphs, **bold** and `code`: all that the document's texts have.
function inline(text) {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*)/).map((part) =>
    part.startsWith("`") ? node("code", {}, part.slice(1, -1))
      : part.startsWith("**") ? node("strong", {}, part.slice(2, -2)) : part);
}
const paragraphs = (text) => (text || "").split(/\n\s*\n/).filter(Boolean).map((part) => node("p", {}, inline(part)));

function resolve(thing) {
  for (let hops = 0; thing && thing.$ref && hops < DEPTH; hops++) {
    const found = thing.$ref.slice(2).split("/").reduce((at, part) => at && at[part.replace(/~1/g, "/").replace(/~0/g, "~")], doc);
    const { $ref, ...beside } = thing;
    thing = { ...found, ...beside };
  }
  return thing || {};
}
const nameOf = (schema) => schema && schema.$ref && schema.$ref.split("/").pop();

// --- schemas ---

function typeOf(schema) {
  const name = nameOf(schema);
  if (name) return name;
  if (schema.items) return "list of " + typeOf(schema.items);
  for (const [word, glue] of [["anyOf", " or "], ["oneOf", " or "], ["allOf", " and "]]) {
    if (schema[word]) return schema[word].map(typeOf).join(glue);
  }
  if (schema.enum && !schema.type) return "one of these";
  const type = [schema.type || "anything"].flat().join(" or ");
  return schema.format ? type + " (" + schema.format + ")" : type;
}

function bounds(given) {
  const schema = resolve(given), says = [];
  if (schema.enum) says.push(schema.enum.map((value) => JSON.stringify(value)).join(", "));
  if (schema.minimum !== undefined || schema.maximum !== undefined) says.push((schema.minimum ?? "…") + " to " + (schema.maximum ?? "…"));
  if (schema.minLength !== undefined || schema.maxLength !== undefined) says.push((schema.minLength ?? 0) + " to " + (schema.maxLength ?? "…") + " characters");
  if (schema.multipleOf !== undefined) says.push("a multiple of " + schema.multipleOf);
  if (schema.default !== undefined) says.push("default " + JSON.stringify(schema.default));
  return says.join(" · ");
}

// An example's fields in the order of the schema that has them all.
function inOrder(example, given) {
  const fits = (schema) => Object.keys(example).every((name) => name in (resolve(schema).properties || {}));
  const schema = resolve([given, ...parts(resolve(given))].find(fits) || {});
  return Object.fromEntries([...Object.keys(schema.properties || {}).filter((name) => name in example).map((name) => [name, example[name]]), ...Object.entries(example)]);
}

function parts(schema) {
  return schema.allOf || schema.anyOf || schema.oneOf || (schema.items ? [schema.items] : []);
}

function tree(given, depth = 0) {
  const schema = resolve(given), list = node("ul", { class: "fields" });
  for (const [name, field] of Object.entries(schema.properties || {})) {
    const inner = resolve(field), must = (schema.required || []).includes(name);
    const head = [node("code", {}, name), " ", node("span", { class: "soft" }, typeOf(field)), must ? node("span", { class: "must", title: "must be there" }, " *") : null];
    const says = [inner.description, bounds(field)].filter(Boolean).join(" ");
    const item = node("li", {}, head, says ? node("div", { class: "small soft" }, inline(says)) : null);
    if (depth < DEPTH && (inner.properties || parts(inner).some((part) => nameOf(part)))) item.append(more(typeOf(field), () => tree(field, depth + 1)));
    list.append(item);
  }
  for (const part of depth < DEPTH ? parts(schema) : []) {
    const name = nameOf(part);
    list.append(node("li", {}, node("span", { class: "soft" }, typeOf(part)), name || resolve(part).properties ? tree(part, depth + 1) : null));
  }
  if (schema.additionalProperties === false) list.append(node("li", { class: "small soft" }, "No other fields."));
  return list.children.length ? list : node("p", { class: "small soft" }, inline([typeOf(given), bounds(given), schema.description].filter(Boolean).join(" · ")));
}

// Closed at first; what is in it is made when it is opened.
function more(title, make) {
  const details = node("details", { class: "more" }, node("summary", {}, title));
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(make()); });
  return details;
}

// --- operations ---

const table = (heads, rows) => node("div", { class: "table" }, node("table", {},
  heads.length ? node("thead", {}, node("tr", {}, heads.map((head) => node("th", {}, head)))) : null,
  node("tbody", {}, rows.map((cells) => node("tr", {}, cells.map((cell) => node("td", {}, cell)))))));

function parameterRows(parameters) {
  return parameters.map((one) => [
    [node("code", {}, one.name), one.required ? node("span", { class: "must", title: "must be there" }, " *") : null, node("div", { class: "small soft" }, one.in)],
    [inline(one.description || ""), node("div", { class: "small soft" }, [typeOf(one.schema), bounds(one.schema)].filter(Boolean).join(" · "))],
  ]);
}

function answerOf(status, given) {
  const answer = resolve(given), tone = status < 300 ? "get" : status < 400 ? "put" : "delete";
  const headers = Object.entries(answer.headers || {});
  const links = Object.values(answer.links || {});
  const title = [node("span", { class: "status " + tone }, status), " ", node("span", { class: "soft" }, inline(answer.description || ""))];
  return more(title, () => node("div", {},
    Object.entries(answer.content || {}).map(([media, content]) => [node("p", { class: "small mono soft" }, media), tree(content.schema || {})]),
    headers.length ? table([], headers.map(([name, header]) => [node("code", {}, name), inline(resolve(header).description || "")])) : null,
    links.length ? node("p", { class: "small" }, "Then: ", links.map((link, index) => [index ? ", " : "", node("a", { href: "#" + link.operationId }, link.operationId)])) : null));
}

function inside(one) {
  const { operation, parameters } = one, body = operation.requestBody;
  return node("div", {},
    paragraphs(operation.description),
    operation.security ? node("p", { class: "small soft" }, "Needs an access token.") : null,
    parameters.length ? [node("h4", {}, "Parameters"), table([], parameterRows(parameters))] : null,
    body ? [node("h4", {}, body.required ? "Body" : "Body, may be left out"),
      Object.entries(body.content).map(([media, content], index) => index
        ? node("p", { class: "small soft" }, "also as ", node("code", {}, media))
        : [node("p", { class: "small mono soft" }, media), tree(content.schema)])] : null,
    node("h4", {}, "Answers"),
    Object.entries(operation.responses).map(([status, answer]) => answerOf(status, answer)),
    trial(one));
}

function show(one) {
  const { method, path, operation } = one;
  const details = node("details", { class: "op", id: operation.operationId }, node("summary", {},
    node("span", { class: "method " + method }, method), node("span", { class: "path" }, path),
    node("span", { class: "says" }, operation.summary)));
  details.addEventListener("toggle", () => { if (details.open && details.children.length === 1) details.append(inside(one)); });
  return details;
}

// --- trying out ---

function field(one) {
  const schema = resolve(one.schema), id = "f" + Math.random().toString(36).slice(2);
  const words = schema.enum || (schema.type === "boolean" ? [true, false] : null);
  const input = words
    ? node("select", { id }, one.required ? null : node("option", { value: "" }, "–"), words.map((value) => node("option", {}, String(value))))
    : node("input", { id, placeholder: (schema.examples || [])[0] ?? schema.format ?? "", autocomplete: "off" });
  return { one, input, shown: node("div", {}, node("label", { for: id }, one.name, one.required ? " *" : ""), input) };
}

function request(one, fields, media, text) {
  const query = new URLSearchParams(), headers = { accept: "application/json, text/event-stream" };
  let path = one.path;
  for (const { one: { name, in: place }, input } of fields) {
    const value = input.value;
    if (place === "path") path = path.replace("{" + name + "}", encodeURIComponent(value));
    else if (value !== "" && place === "query") query.append(name, value);
    else if (value !== "") headers[name] = value;
  }
  if ($("token").value) headers.authorization = "Bearer " + $("token").value;
  let body = text || undefined;
  if (body && media === "application/x-www-form-urlencoded") body = new URLSearchParams(JSON.parse(text)).toString();
  if (body && media === "multipart/form-data") {
    body = new FormData();
    for (const [name, value] of Object.entries(JSON.parse(text))) body.append(name, value);
  } else if (body) headers["content-type"] = media;
  return { url: path + (query.size ? "?" + query : ""), method: one.method.toUpperCase(), headers, body };
}

const quoted = (text) => "'" + String(text).replace(/'/g, "'\\''") + "'";

function curl({ url, method, headers, body }) {
  const words = ["curl", "-X " + method, quoted(location.origin + url)];
  for (const [name, value] of Object.entries(headers)) words.push("-H " + quoted(name + ": " + value));
  if (body instanceof FormData) for (const [name, value] of body) words.push("-F " + quoted(name + "=" + value));
  else if (body) words.push("-d " + quoted(body));
  return words.join(" \\\n  ");
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

// Reads on until it ends, is stopped, or has told enough.
async function follow(answer, out) {
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let frames = 0; frames < FRAMES && out.textContent.length < SHOWN; frames++) {
    const { done, value } = await reader.read();
    if (done) return;
    out.textContent += value;
  }
  reader.cancel();
}

function trial(one) {
  const fields = one.parameters.map(field), body = one.operation.requestBody;
  const medias = Object.keys(body ? body.content : {});
  const media = node("select", { "aria-label": "Type of the body" }, medias.map((name) => node("option", {}, name)));
  const text = node("textarea", { "aria-label": "Body", spellcheck: "false" });
  if (body) {
    const { schema, example } = body.content[medias[0]];
    text.value = JSON.stringify(inOrder(example ?? {}, schema), null, 2);
    text.rows = Math.max(4, text.value.split("\n").length + 1);
  }
  const send = node("button", { class: "main", type: "button" }, "Send");
  const stop = node("button", { type: "button", class: "hidden" }, "Stop");
  const copy = node("button", { type: "button" }, "Show as curl");
  const result = node("div", { role: "status" });
  let running = null;
  const made = () => {
    const empty = fields.find(({ one: { required }, input }) => required && !input.value);
    if (empty) { empty.input.focus(); throw new Error("\"" + empty.one.name + "\" must be there."); }
    return request(one, fields, media.value, body ? text.value.trim() : "");
  };
  copy.addEventListener("click", () => {
    try { result.replaceChildren(node("pre", {}, node("code", {}, curl(made())))); }
    catch (error) { result.replaceChildren(node("p", { class: "must" }, error.message)); }
  });
  stop.addEventListener("click", () => running && running.abort());
  send.addEventListener("click", async () => {
    running = new AbortController();
    send.disabled = true;
    const stopper = stop.classList, started = performance.now();
    try {
      const { url, ...rest } = made();
      const late = setTimeout(() => running.abort(), PATIENCE);
      const answer = await fetch(url, { ...rest, signal: running.signal });
      clearTimeout(late);
      const took = Math.round(performance.now() - started);
      const out = node("code", {}), tone = answer.status < 300 ? "get" : "delete";
      result.replaceChildren(
        node("p", {}, node("span", { class: "status " + tone }, String(answer.status)), " ", node("span", { class: "soft" }, took + " ms")),
        node("pre", {}, out),
        more("Headers", () => node("pre", {}, node("code", {}, [...answer.headers].map(([name, value]) => name + ": " + value).join("\n")))));
      if ((answer.headers.get("content-type") || "").startsWith("text/event-stream")) {
        stopper.remove("hidden");
        await follow(answer, out);
      } else out.textContent = pretty(await answer.text()).slice(0, SHOWN);
      if (answer.ok && one.operation.operationId === "logIn") take(JSON.parse(out.textContent).access_token);
    } catch (error) {
      const says = error.name === "AbortError" ? "Stopped." : error instanceof SyntaxError ? "The body is not JSON: " + error.message : error.message;
      result.append(node("p", { class: "must" }, says));
    } finally {
      send.disabled = false;
      stopper.add("hidden");
    }
  });
  return node("div", { class: "try" }, node("h4", {}, "Try it out"),
    node("div", { class: "pairs" }, fields.map(({ shown }) => shown)),
    body ? [medias.length > 1 ? node("div", {}, node("label", {}, "Type of the body"), media) : null, node("label", {}, "Body"), text] : null,
    node("div", { class: "row" }, send, stop, copy), result);
}

// --- who is logged in ---

function take(token) {
  $("token").value = token || "";
  try { sessionStorage.setItem("token", token || ""); } catch { /* then it is lost with the page */ }
  let who = "Nobody is logged in. The token stays in this tab.";
  try {
    const claims = JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    who = "Calls are sent as " + claims.username + ", until " + new Date(claims.exp * 1000).toLocaleTimeString() + ".";
  } catch { if (token) who = "Calls are sent with this token."; }
  $("who").textContent = who;
}

$("token").addEventListener("input", () => take($("token").value.trim()));
$("forget").addEventListener("click", () => take(""));
$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const body = new URLSearchParams({ username: $("user").value, password: $("password").value });
    const answer = await fetch("/auth/login", { method: "POST", body, signal: AbortSignal.timeout(PATIENCE) });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.detail);
    $("password").value = "";
    take(told.access_token);
  } catch (error) { $("who").textContent = error.message; }
});

// --- the page ---

function operations() {
  const all = [];
  for (const [path, item] of Object.entries(doc.paths)) {
    for (const method of METHODS) {
      if (!item[method]) continue;
      const operation = item[method], parameters = (operation.parameters || []).map(resolve);
      const text = [method, path, operation.operationId, operation.summary, operation.description, operation.tags, parameters.map((one) => one.name)].flat().join(" ").toLowerCase();
      all.push({ path, method, operation, parameters, text });
    }
  }
  return all;
}

function open() {
  const found = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!found) return;
  if (found.tagName === "DETAILS") found.open = true;
  $("side").classList.remove("open");
  found.scrollIntoView();
}

function filter(words) {
  let any = false;
  for (const group of groups) {
    let some = false;
    for (const one of group.all) {
      const fits = words.every((word) => one.text.includes(word));
      some = some || fits;
      for (const part of one.shown) part.classList.toggle("hidden", !fits);
    }
    any = any || some;
    for (const part of group.shown) part.classList.toggle("hidden", !some);
  }
  $("nothing").classList.toggle("hidden", any);
}

let groups = [];
async function start() {
  try {
    const answer = await fetch("/openapi.json", { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error("it is not here (" + answer.status + ")");
    doc = await answer.json();
  } catch (error) {
    $("intro").replaceChildren(node("p", { class: "must" }, "The document cannot be read: " + error.message));
    return;
  }
  const info = doc.info, all = operations();
  $("intro").replaceChildren(node("h1", {}, info.title), node("p", { class: "small soft" }, "Version " + info.version + " · ", node("a", { href: "/openapi.json" }, "OpenAPI " + doc.openapi)), ...paragraphs(info.description));
  groups = (doc.tags || []).map((tag) => {
    const own = all.filter((one) => (one.operation.tags || []).includes(tag.name));
    const title = node("h2", { id: "tag-" + tag.name }, tag.name), says = node("p", { class: "soft" }, tag.description);
    const head = node("h3", {}, tag.name);
    $("operations").append(title, says);
    $("nav").append(head);
    for (const one of own) {
      const section = show(one);
      const link = node("a", { href: "#" + one.operation.operationId }, node("span", { class: "method " + one.method }, one.method), node("span", {}, one.operation.summary));
      $("operations").append(section);
      $("nav").append(link);
      one.shown = [section, link];
    }
    return { all: own, shown: [title, says, head] };
  });
  $("schemas").append(node("h2", {}, "Schemas"), ...Object.keys(doc.components.schemas).sort().map((name) => more(name, () => tree({ $ref: "#/components/schemas/" + name }))));
  let kept = "";
  try { kept = sessionStorage.getItem("token") || ""; } catch { /* nothing is kept */ }
  take(kept);
  open();
}

$("search").addEventListener("input", () => {
  const words = $("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  filter(words);
  $("side").classList.toggle("open", words.length > 0);
});
$("menu").addEventListener("click", () => $("menu").setAttribute("aria-expanded", String($("side").classList.toggle("open"))));
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !/INPUT|TEXTAREA|SELECT/.test(event.target.tagName)) { event.preventDefault(); $("search").focus(); }
});
$("nav").addEventListener("click", (event) => { if (event.target.closest("a")) setTimeout(open); });
window.addEventListener("hashchange", open);
start();
