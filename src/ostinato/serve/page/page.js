// The page of live streams: it asks for what is new a few times a second, and draws it.
const EVERY = 300, SHOWN = 240, LISTED = 100, SIGN = 14, APART = 100;
const byId = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const few = new Intl.NumberFormat("en", { maximumSignificantDigits: 5 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

let token = sessionStorage.getItem("token");
let chosen = null, events = [], clock = {}, before = null, lastList = 0, missed = 0, drawn = "", rest = 0;

async function ask(path) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(path, { headers, cache: "no-store" });
  if (answer.status === 401) { sessionStorage.removeItem("token"); token = null; throw new Error("token"); }
  if (answer.status === 404) return null;
  if (answer.status === 429) {
    rest = performance.now() + 1000 * Number(answer.headers.get("retry-after") || 1);
    throw new Error("rate");
  }
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

const put = (id, text) => { const node = byId(id); if (node.textContent !== text) node.textContent = text; };
const number = (x) => (x === null || x === undefined ? "missing" : few.format(x));
const sign = (text) => (text === null ? "" : text.replaceAll("\n", "\u21b5").replaceAll(" ", "\u2423"));
const isText = () => events.length > 0 && events[0].text !== undefined;
const value = (e) => (e.text === undefined ? e.y.map(number).join(", ") : `\u201c${sign(e.text)}\u201d`);
const expected = (e) => (e.text === undefined ? e.expected.map(number).join(", ") : `\u201c${sign(e.expected_text)}\u201d`);

function element(name, attributes, parent, text) {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  parent.append(node);
  return node;
}

// Times come as microseconds since 1970: in UTC, which is shown by the clock of their zone, or without a zone as written.
const DAY = 864e5, STEPS = [1e3, 5e3, 15e3, 3e4, 6e4, 3e5, 9e5, 18e5, 36e5, 108e5, 216e5, 432e5, DAY, 2 * DAY, 7 * DAY, 30 * DAY, 90 * DAY, 365 * DAY];
function formatter(options) {
  const told = { timeZone: clock.zone || "UTC", hourCycle: "h23", ...options };
  try { return new Intl.DateTimeFormat("en-GB", told); } catch { return new Intl.DateTimeFormat("en-GB", { ...told, timeZone: "UTC" }); }
}
const date = { day: "numeric", month: "short" }, year = { year: "numeric" }, minute = { hour: "2-digit", minute: "2-digit" };
const moment = (e) => {
  if (e.ds === null) return "";
  return clock.dated ? `, ${formatter({ ...date, ...year, ...minute, second: "2-digit" }).format(e.ds / 1e3)}` : `, time ${whole.format(e.ds)}`;
};

// The labels below a chart: times, or else the numbers of the events, as many as there is room for.
function along(svg, shown, x, { left, width, foot }) {
  const n = shown.length, timed = shown.some((e) => e.ds !== null), dates = timed && clock.dated;
  const places = shown.map((e) => (timed ? e.ds === null ? null : dates ? e.ds / 1e3 : e.ds : e.seq));
  const known = places.filter((v) => v !== null), span = known.length ? known.at(-1) - known[0] : 0;
  const rough = span / Math.max(1, (width - left) / APART), ten = 10 ** Math.floor(Math.log10(rough || 1));
  const step = dates ? STEPS.find((k) => k >= rough) || STEPS.at(-1) : Math.max(1, ten * [1, 2, 5, 10].find((k) => k * ten >= rough * 0.999));
  const clockTime = formatter(step < 6e4 ? { ...minute, second: "2-digit" } : minute), day = formatter(date), years = formatter(year);
  let last = null, edge = -Infinity;
  const starts = (v, i) => (i && places[i - 1] !== null ? Math.floor(v / step) !== Math.floor(places[i - 1] / step) : v % step === 0);
  const round = places.map((v, i) => v !== null && starts(v, i)), first = round.includes(true) ? -1 : places.findIndex((v) => v !== null);
  places.forEach((v, i) => {
    if (!(round[i] || i === first) || x(i, n) - edge < APART) return;
    let text = whole.format(v);
    if (!dates) text = last === null ? `${timed ? "time" : "event"} ${text}` : text;
    else {
      const newYear = step >= DAY && (last === null || years.format(v) !== years.format(last));
      const newDay = step >= DAY || last === null || day.format(v) !== day.format(last);
      text = [newDay ? day.format(v) : "", newYear ? years.format(v) : "", step < DAY ? clockTime.format(v) : ""].filter(Boolean).join(" ");
    }
    last = v; edge = x(i, n);
    const anchor = edge > width - APART / 2 ? "end" : edge < left + APART / 2 ? "start" : "middle";
    element("line", { class: "grid", x1: edge, x2: edge, y1: foot - 16, y2: foot - 12 }, svg);
    element("text", { x: edge, y: foot, "text-anchor": anchor }, svg, text);
  });
}

function frame(svg, low, high, ticks, bottom = 24) {
  const { width, height } = svg.getBoundingClientRect();
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const left = 52, right = 8, top = 8;
  if (!(high > low)) { low -= 1; high += 1; }
  const y = (v) => top + (1 - (Math.max(low, Math.min(high, v)) - low) / (high - low)) * (height - top - bottom);
  const x = (i, n) => left + (i / Math.max(1, n - 1)) * (width - left - right);
  const rough = (high - low) / ticks, ten = 10 ** Math.floor(Math.log10(rough));
  const step = ten * [1, 2, 5, 10].find((k) => k * ten >= rough * 0.999);
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) {
    const v = i * step || 0;  // not -0
    element("line", { class: "grid", x1: left, x2: width - right, y1: y(v), y2: y(v) }, svg);
    element("text", { x: left - 8, y: y(v) + 4, "text-anchor": "end" }, svg, new Intl.NumberFormat("en", { maximumSignificantDigits: 3, notation: Math.abs(v) >= 1e5 ? "compact" : "standard" }).format(v));
  }
  return { x, y, room: { left, width, foot: height - 4 } };
}

const axis = (list) => (list.some((e) => e.ds !== null) ? `across: time${clock.zone ? ` (${clock.zone})` : ""}` : "across: number of the event");

function path(points) {
  let text = "", gap = true;
  for (const [x, y] of points) {
    if (y === null) { gap = true; continue; }
    text += `${gap ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    gap = false;
  }
  return text;
}

function draw() {
  const text = isText(), shown = events.slice(-(text ? Math.floor((byId("nats").getBoundingClientRect().width - 60) / SIGN) : SHOWN));
  byId("values").closest("figure").hidden = text;
  byId("nats").classList.toggle("text", text);
  const first = (list) => (list && list.length ? list[0] : null);
  const rows = shown.map((e) => ({ y: first(e.y), m: first(e.expected), a: first(e.low), z: first(e.high), s: e.surprisal, alarm: e.alarm, text: e.text, seq: e.seq, ds: e.ds }));
  if (!text) drawValues(rows);
  drawSurprisals(rows, text);
}

function drawValues(rows) {
  const n = rows.length, svg = byId("values");
  const values = rows.flatMap((r) => [r.y, r.m]).filter((v) => v !== null);
  const ends = rows.flatMap((r) => [r.a, r.z]).filter((v) => v !== null);
  let low = Math.min(...values), high = Math.max(...values);
  const room = (high - low) || 1;
  low = Math.max(Math.min(low, ...ends), low - room); high = Math.min(Math.max(high, ...ends), high + room);
  const { x, y, room: inside } = frame(svg, n ? low : 0, n ? high : 1, 4);
  along(svg, rows, x, inside);
  const at = (key) => rows.map((r, i) => [x(i, n), r[key] === null ? null : y(r[key])]);
  let run = [];
  const close = () => {
    if (run.length > 1) {
      const back = [...run].reverse();
      element("path", { class: "area", d: `${path(run.map((i) => [x(i, n), y(rows[i].z)]))}L${back.map((i) => `${x(i, n).toFixed(1)} ${y(rows[i].a).toFixed(1)}`).join("L")}Z` }, svg);
    }
    run = [];
  };
  rows.forEach((r, i) => { if (r.a === null || r.z === null) close(); else run.push(i); });
  close();
  element("path", { class: "middle", d: path(at("m")) }, svg);
  element("path", { class: "line", d: path(at("y")) }, svg);
  rows.forEach((r, i) => { if (r.alarm && r.y !== null) element("circle", { class: "mark", cx: x(i, n), cy: y(r.y), r: 6 }, svg); });
}

function drawSurprisals(rows, text) {
  const n = rows.length, svg = byId("nats"), nats = rows.map((r) => r.s).filter((v) => v !== null);
  const { x, y, room } = frame(svg, Math.min(0, ...nats), Math.max(1, ...nats), 2, text ? 42 : 24);
  along(svg, rows, x, room);
  const zero = y(Math.min(0, ...nats));
  rows.forEach((r, i) => {
    if (r.s !== null) element("line", { class: r.alarm ? "bar alarm" : "bar", x1: x(i, n), x2: x(i, n), y1: zero, y2: y(r.s) }, svg);
    if (text) element("text", { class: "sign", x: x(i, n), y: zero + 18, "text-anchor": "middle" }, svg, sign(r.text));
  });
}

const WHY = {
  surprisal: "a surprising value", surprisals: "too much surprise, or too little, for long", errors: "errors of one sign for long",
  repeats: "a repeated value", move: "the level moved",
};

function describe() {
  const last = events.at(-1);
  if (!last) { put("latest", "The stream has no event yet."); return; }
  const band = last.low && last.low[0] !== null ? `, between ${number(last.low[0])} and ${number(last.high[0])} with 95 %` : "";
  put("latest", `Event ${whole.format(last.seq)}${moment(last)}: ${value(last)}; expected ${expected(last)}${band}; surprisal ${number(last.surprisal)} nats.`);
  const alarms = events.filter((e) => e.alarm).slice(-5).reverse();
  const list = byId("alarm-list"), words = alarms.map((e) => `Event ${whole.format(e.seq)}${moment(e)}: ${value(e)} instead of ${expected(e)}, ${number(e.surprisal)} nats${WHY[e.evidence] ? `: ${WHY[e.evidence]}` : ""}`);
  if ([...list.children].map((c) => c.textContent).join("|") !== words.join("|")) {
    list.replaceChildren(...words.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  }
  if (document.querySelector("details").open) {
    byId("rows").replaceChildren(...events.slice(-20).reverse().map((e) => {
      const row = document.createElement("tr");
      for (const text of [`${whole.format(e.seq)}${moment(e)}`, value(e), expected(e), number(e.surprisal), e.alarm ? "yes" : "no"]) {
        row.append(Object.assign(document.createElement("td"), { textContent: text }));
      }
      return row;
    }));
  }
}

function choose(id) {
  if (chosen === id) return;
  chosen = id; events = []; clock = {}; drawn = "";
  put("chart-title", id);
  document.title = `${id}: ostinato`;
  for (const button of document.querySelectorAll("#streams button")) {
    if (button.dataset.id === id) button.setAttribute("aria-current", "true"); else button.removeAttribute("aria-current");
  }
}

async function list() {
  const after = byId("find").value.trim();
  const found = await ask(`v1/streams?intervals=1&limit=${LISTED}${after ? `&after=${encodeURIComponent(after)}` : ""}`);
  if (!found) return;
  const list_ = byId("streams"), known = new Map([...list_.children].map((li) => [li.firstChild.dataset.id, li]));
  const wanted = found.streams.map((one) => {
    let item = known.get(one.unique_id);
    if (!item) {
      item = document.createElement("li");
      const button = document.createElement("button");
      button.type = "button"; button.dataset.id = one.unique_id; button.title = one.unique_id;
      button.append(document.createElement("span"), document.createElement("span"));
      button.firstChild.textContent = one.unique_id;
      button.addEventListener("click", () => { choose(one.unique_id); tick(); });
      item.append(button);
    }
    if (one.unique_id === chosen) item.firstChild.setAttribute("aria-current", "true");
    const note = one.in_memory ? whole.format(one.seq) : "at rest";
    if (item.firstChild.lastChild.textContent !== note) item.firstChild.lastChild.textContent = note;
    return item;
  });
  if (wanted.length !== list_.children.length || wanted.some((item, i) => list_.children[i] !== item)) list_.replaceChildren(...wanted);
  byId("more").hidden = found.after === null;
  if (chosen === null && found.streams.length) choose(found.streams[0].unique_id);
}

async function status() {
  const now = performance.now(), s = await ask("v1/status");
  if (before && now > before.now) put("rate", whole.format(Math.max(0, (s.events - before.events) / ((now - before.now) / 1000))));
  if (!before || now - before.now > 900) before = { now, events: s.events };
  put("events", whole.format(s.events)); put("alarms", whole.format(s.alarms));
  put("memory", whole.format(s.in_memory)); put("store", s.durable ? `${s.store}, durable` : s.store);
  put("state", s.store_failed ? "The store does not answer; pushes are refused until it does." : "Connected.");
}

async function follow() {
  if (chosen === null) return;
  const id = chosen, last = events.length ? events.at(-1).seq : 0;
  const found = await ask(`v1/streams/${encodeURIComponent(id)}/history?after=${last}`);
  if (id !== chosen) return;
  if (!found) { events = []; put("latest", "The stream was deleted."); draw(); return; }
  if (found.seq < last) { events = []; return; }
  clock = { dated: found.dated, zone: found.zone };
  put("across", events.length || found.events.length ? axis([...events, ...found.events]) : "");
  if (found.events.length) events = [...events, ...found.events].slice(-1000);
  const size = byId("nats").getBoundingClientRect().width, key = `${id} ${events.length ? events.at(-1).seq : 0} ${size}`;
  if (key !== drawn) { drawn = key; draw(); describe(); }
}

let busy = false;
async function tick() {
  if (busy || document.hidden || performance.now() < rest) return;
  busy = true;
  try {
    await status();
    if (performance.now() - lastList > 900) { lastList = performance.now(); await list(); }
    await follow();
    missed = 0;
  } catch (error) {
    if (error.message === "token") { byId("login").hidden = false; put("state", "The server needs a token."); }
    else if (error.message === "rate") put("state", "The rate of the token is used up; the page asks again later.");
    else if (++missed > 2) put("state", "The server does not answer; trying again.");
  } finally { busy = false; }
}

byId("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = byId("token").value.trim();
  sessionStorage.setItem("token", token);
  byId("login").hidden = true;
  start();
});
byId("find").addEventListener("input", () => { lastList = 0; });
document.querySelector("details").addEventListener("toggle", describe);
new ResizeObserver(() => { drawn = ""; }).observe(byId("nats"));

async function start() {
  try {
    const model = await ask("v1/model");
    put("bytes", `${whole.format(model.state_bytes)} B`);
  } catch (error) { if (error.message === "token") { byId("login").hidden = false; put("state", "The server needs a token."); return; } }
  tick();
}
start();
setInterval(() => { if (byId("login").hidden) tick(); }, EVERY);
