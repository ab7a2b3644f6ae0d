// Draws what /state.json says. Text from the network becomes text nodes and nothing else.
"use strict";

const EVERY = 1000; // milliseconds between two questions
const ROWS = 200; // rows of the table of hosts
const DOTS = 256; // hosts drawn in one segment
const SVG = "http://www.w3.org/2000/svg"; // a name: nothing is loaded from there

const byId = (id) => document.getElementById(id);
const still = matchMedia("(prefers-reduced-motion: reduce)");

let state = null; // the newest answer
let before = null; // the one before, for rates
let lastEvent = null; // the number of the newest event that was drawn
let failing = null; // since when there is no answer
let sorted = { column: "address", down: false };
let places = new Map(); // where each listed host is drawn: key of its segment and position
const drawings = new Map(); // by domain

// Elements ------------------------------------------------------------------------------------------------------------

function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function shape(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function setText(id, text) {
  const place = byId(id);
  if (place.textContent !== text) place.textContent = text;
}

// Numbers and names ---------------------------------------------------------------------------------------------------

function perSecond(rate) {
  if (rate === null) return "–";
  if (rate === 0) return "0";
  if (rate < 9.95) return rate.toFixed(1);
  if (rate < 9999.5) return rate.toFixed(0);
  return rate < 999500 ? `${(rate / 1e3).toFixed(0)}k` : `${(rate / 1e6).toFixed(1)}M`;
}

function span(seconds) {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86400)} d`;
}

const plural = (count, name) => `${count.toLocaleString("en")} ${name}${count === 1 ? "" : "s"}`;
const keyOf = (segment) => JSON.stringify([segment.netns, segment.domain, segment.segment]);
const domainOf = (segment) => JSON.stringify([segment.netns, segment.domain]);
const numeric = (address) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
// What tells IPoIB addresses apart is at their end.
const shortLladdr = (text) => (text.length > 17 ? `${text.slice(0, 5)}…${text.slice(-11)}` : text || "–");

function ratesOf(segment) {
  const then = before && before.segments.get(keyOf(segment));
  const seconds = before ? (state.made_milliseconds - before.made) / 1000 : 0;
  const rate = (name) => (then && seconds > 0 && segment[name] >= then[name] ? (segment[name] - then[name]) / seconds : null);
  return { read: rate("read"), answered: rate("answered"), probed: rate("probed"), dropped: rate("dropped") };
}

// Asking --------------------------------------------------------------------------------------------------------------

async function ask() {
  try {
    const response = await fetch("state.json", { cache: "no-store", signal: AbortSignal.timeout(8000) });
    if (!response.ok) throw new Error(`${response.status} ${(await response.text()).trim()}`);
    const next = await response.json();
    // The same answer may be given to several who ask.
    if (!state || next.made_milliseconds !== state.made_milliseconds || next.start_time_seconds !== state.start_time_seconds) {
      take(next);
    }
    failing = null;
  } catch (error) {
    failing = failing || { since: Date.now(), why: String(error.message || error) };
  }
  showNotice();
  setTimeout(ask, document.hidden ? 10 * EVERY : EVERY);
}

function take(next) {
  if (state && next.start_time_seconds === state.start_time_seconds) {
    const counters = state.segments.map((segment) => [keyOf(segment), segment]);
    before = { made: state.made_milliseconds, segments: new Map(counters) };
  } else {
    before = null; // another daemon: its counters and events begin anew
    if (state) lastEvent = 0;
  }
  state = next;
  drawTotals();
  drawDomains();
  drawSegments();
  drawHosts();
  drawEvents();
}

function showNotice() {
  const notice = byId("notice");
  notice.hidden = failing === null;
  document.body.classList.toggle("stale", failing !== null);
  if (failing) {
    const seconds = Math.round((Date.now() - failing.since) / 1000);
    setText("notice", `No answer from the daemon for ${span(seconds)} (${failing.why}). What was known is still shown.`);
  }
}

// Totals, segments, hosts, events -------------------------------------------------------------------------------------

function drawTotals() {
  const sum = (name) => {
    const rates = state.segments.map((segment) => ratesOf(segment)[name]).filter((rate) => rate !== null);
    return rates.length ? rates.reduce((a, b) => a + b, 0) : null;
  };
  const dropped = sum("dropped");
  setText("hosts", state.hosts.toLocaleString("en"));
  setText("segment-count", state.segments.length.toLocaleString("en"));
  setText("routes", state.routes.toLocaleString("en"));
  setText("moves", (state.events.host_moved || 0).toLocaleString("en"));
  for (const name of ["read", "answered", "probed"]) setText(name, perSecond(sum(name)) + "/s");
  setText("dropped", `${perSecond(dropped)}/s`);
  byId("dropped").classList.toggle("bad", dropped > 0);
  setText("version", state.version);
  setText("uptime", `· up ${span(state.uptime_seconds)}`);
  setText("ready", state.ready ? "ready" : "starting");
  byId("ready").className = `badge ${state.ready ? "good" : "bad"}`;
  document.title = `arpherd: ${plural(state.hosts, "host")}`;
}

function row(table, cells) {
  const made = element("tr");
  for (const [text, className] of cells) made.append(element("td", { class: className }, text));
  table.append(made);
}

const stateClass = (text) => (text === "up" || text === "alive" ? `state-${text}` : text === "suspect" ? "state-suspect" : "state-bad");

function drawSegments() {
  const body = document.createDocumentFragment();
  for (const segment of state.segments) {
    const rates = ratesOf(segment);
    row(body, [
      [domainName(segment)], [segment.segment], [segment.interface], [segment.wifi ? `${segment.kind} ${segment.wifi}` : segment.kind],
      [segment.state, stateClass(segment.state)], [segment.answer], [segment.prefixes.join(", ") || "–", "address"],
      [segment.hosts.toLocaleString("en"), "number"], [perSecond(rates.read), "number"], [perSecond(rates.answered), "number"],
      [perSecond(rates.probed), "number"], [segment.dropped.toLocaleString("en"), segment.dropped ? "number state-bad" : "number"],
    ]);
  }
  byId("segment-table").tBodies[0].replaceChildren(body);
}

const domainName = (segment) => (segment.netns ? `${segment.domain} (${segment.netns})` : segment.domain);

function wordsOf(text) {
  return text.toLowerCase().split(/\s+/).filter(Boolean);
}

function matches(host, segment, words) {
  const text = [host.address, host.lladdr, segment.domain, segment.segment, segment.interface, segment.netns || "", host.state].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function drawHosts() {
  const words = wordsOf(byId("search").value);
  const all = state.segments.flatMap((segment) => segment.listed.map((host) => ({ ...host, domain: domainName(segment), segment: segment.segment, of: segment })));
  const found = all.filter((host) => matches(host, host.of, words));
  const value = (host) => (sorted.column === "address" ? numeric(host.address) : host[sorted.column]);
  found.sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    const order = x < y ? -1 : x > y ? 1 : numeric(a.address) - numeric(b.address);
    return sorted.down ? -order : order;
  });
  const body = document.createDocumentFragment();
  for (const host of found.slice(0, ROWS)) {
    row(body, [
      [host.address, "address"], [shortLladdr(host.lladdr), "address"], [host.domain], [host.segment],
      [host.state, stateClass(host.state)], [host.learned_from], [`${span(host.age_seconds)} ago`, "number"],
    ]);
  }
  byId("host-table").tBodies[0].replaceChildren(body);
  setText("host-note", hostNote(found.length, all.length, words.length > 0));
  for (const heading of byId("host-table").tHead.rows[0].cells) {
    const is = heading.firstElementChild.dataset.column === sorted.column;
    if (is) heading.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
    else heading.removeAttribute("aria-sort");
  }
}

function hostNote(found, listed, searching) {
  if (!state.listed) return `${state.hosts.toLocaleString("en")}, too many to list; type a whole address to find one`;
  const parts = [];
  if (searching) parts.push(`${found.toLocaleString("en")} found`);
  if (found > ROWS) parts.push(`the first ${ROWS} shown`);
  if (listed < state.hosts) parts.push(`${listed} of ${state.hosts.toLocaleString("en")} listed; type a whole address to find any`);
  return parts.join(", ");
}

function drawEvents() {
  const list = byId("event-list");
  const first = lastEvent === null;
  const news = state.newest.filter((event) => first || event.sequence > lastEvent);
  for (const event of news) {
    const { sequence, time, level, event: name, netns, ...values } = event;
    const kind = name === "host_moved" ? "move" : ["info", "warning", "error"].includes(level) ? level : "";
    const texts = textsOf(values);
    if (netns) texts.push(`netns ${netns}`);
    const local = new Date(time);
    const clock = isNaN(local) ? time : local.toLocaleTimeString("en-GB");
    const item = element("li", { class: `${kind}${first ? "" : " new"}` },
      element("time", { datetime: time, title: time }, clock), element("b", {}, name.replaceAll("_", " ")),
      element("span", { class: "values" }, texts.join(" · ")));
    list.prepend(item);
    if (name === "host_moved" && !first) showMove(netns, values);
    lastEvent = Math.max(lastEvent || 0, sequence);
  }
  if (first) lastEvent = Math.max(lastEvent || 0, 0);
  while (list.children.length > 100) list.lastElementChild.remove();
  if (!list.children.length) list.append(element("li", {}, "none yet"));
  else if (list.children.length > 1) [...list.children].filter((item) => !item.querySelector("time")).forEach((item) => item.remove());
}

// The values of an event: which address and where first, and what does not change not twice.
function textsOf({ address, segment, old_segment: from, domain, lladdr, old_lladdr: old, hint, ...others }) {
  for (const [key, same] of [["interface", segment], ["old_interface", from], ["old_domain", domain]]) {
    if (others[key] === same) delete others[key];
  }
  const texts = [];
  if (address) texts.push(address);
  if (segment) texts.push(from && from !== segment ? `${from} → ${segment}` : `on ${segment}`);
  if (lladdr) texts.push(old && old !== lladdr ? `${shortLladdr(old)} → ${shortLladdr(lladdr)}` : `at ${shortLladdr(lladdr)}`);
  for (const [key, value] of Object.entries(others)) texts.push(`${key.replaceAll("_", " ")} ${value}`);
  if (domain && drawings.size > 1) texts.push(`domain ${domain}`);
  if (hint) texts.push(hint);
  return texts;
}

// The drawing of a domain ---------------------------------------------------------------------------------------------

function drawDomains() {
  const groups = new Map();
  for (const segment of state.segments) {
    const key = domainOf(segment);
    if (!groups.has(key)) groups.set(key, []);
    groups.get(key).push(segment);
  }
  for (const [key, drawing] of drawings) {
    if (!groups.has(key)) {
      drawing.section.remove();
      drawings.delete(key);
    }
  }
  const known = places;
  places = new Map();
  for (const [key, segments] of groups) drawDomain(key, segments, known);
  showFlashes();
}

function drawDomain(key, segments, known) {
  let drawing = drawings.get(key);
  if (!drawing) {
    const svg = shape("svg", { role: "img" });
    const title = element("h2");
    drawing = { section: element("section", { class: "domain" }, title, svg), title, svg, movers: shape("g") };
    drawings.set(key, drawing);
    byId("domains").append(drawing.section);
  }
  const hosts = segments.reduce((sum, segment) => sum + segment.hosts, 0);
  const prefixes = [...new Set(segments.flatMap((segment) => segment.prefixes))];
  const about = `${plural(hosts, "host")} on ${plural(segments.length, "segment")}${prefixes.length ? ` · ${cut(prefixes.join(", "), 80)}` : ""}`;
  drawing.title.replaceChildren(domainName(segments[0]), element("small", {}, about));
  const width = Math.max(300, drawing.section.clientWidth - 2);
  const plan = placeBoxes(segments, width);
  drawing.svg.setAttribute("viewBox", `0 0 ${width} ${plan.height}`);
  drawing.svg.setAttribute("aria-label", `Domain ${domainName(segments[0])}: the gateway, and around it ${segments
    .map((segment) => `${segment.segment}, ${segment.state}, ${plural(segment.hosts, "host")}`).join("; ")}`);
  const searching = wordsOf(byId("search").value);
  drawing.svg.classList.toggle("searching", searching.length > 0);
  const wires = plan.boxes.map((box) => drawWire(box, plan.gateway));
  const boxes = plan.boxes.map((box) => drawBox(box, key, known, searching));
  drawing.svg.replaceChildren(...wires, ...boxes, drawGateway(plan.gateway, segments), drawing.movers);
}

const PAD = 14;
const HEAD = 58; // of a box, above its hosts

// Boxes to the left and to the right of the gateway; on a narrow page below it.
function placeBoxes(segments, width) {
  const narrow = width < 620;
  const boxWidth = narrow ? width - 56 : Math.min(430, (width - 210) / 2);
  const boxes = segments.map((segment) => ({ segment, width: boxWidth, ...grid(segment, boxWidth) }));
  const gap = 16;
  if (narrow) {
    let y = 92;
    for (const box of boxes) {
      Object.assign(box, { x: 44, y, side: "below" });
      y += box.height + gap;
    }
    return { boxes, height: y, gateway: { x: 24, y: 44, narrow } };
  }
  const tall = [0, 0];
  for (const box of boxes) {
    const side = tall[0] <= tall[1] ? 0 : 1;
    Object.assign(box, { y: tall[side], side: side ? "right" : "left", x: side ? width - PAD - boxWidth : PAD });
    tall[side] += box.height + gap;
  }
  const height = Math.max(150, ...tall) + 12;
  for (const box of boxes) box.y += (height - tall[box.side === "right" ? 1 : 0] + gap) / 2;
  return { boxes, height, gateway: { x: width / 2, y: height / 2, narrow } };
}

// How many hosts are drawn, how, and how high the box is.
function grid(segment, width) {
  const shown = Math.min(segment.listed.length, DOTS);
  const named = shown <= 24 && shown === segment.hosts;
  const [stepX, stepY] = named ? [128, 22] : [16, 16];
  const columns = Math.max(1, Math.floor((width - 2 * PAD) / stepX));
  const rows = Math.ceil(shown / columns);
  const rest = segment.hosts - shown;
  const below = !shown && rest > 0 ? 50 : rest > 0 || !segment.hosts ? (shown ? 22 : 36) : 0;
  const height = HEAD + (shown ? rows * stepY + 8 : 0) + below;
  return { shown, named, columns, stepX, stepY, rest, rows, height };
}

function drawWire(box, gateway) {
  const y = box.y + box.height / 2;
  const end = box.side === "left" ? box.x + box.width : box.x;
  const path = box.side === "below"
    ? `M${gateway.x} ${gateway.y} V${box.y + 20} H${box.x}`
    : `M${gateway.x} ${gateway.y} C${(gateway.x + end) / 2} ${gateway.y} ${(gateway.x + end) / 2} ${y} ${end} ${y}`;
  const up = box.segment.state === "up";
  const wire = shape("g", {}, shape("path", { class: up ? "wire" : "wire bad", d: path }));
  const { read } = ratesOf(box.segment);
  if (up && read > 0) {
    const traffic = shape("path", { class: "traffic", d: path });
    // From six seconds for a frame now and then to half a second for thousands.
    const seconds = Math.max(0.5, 6 - 1.4 * Math.log10(1 + read));
    traffic.style.animationDuration = `${seconds}s`;
    // Drawn anew every second, it goes on where it was.
    traffic.style.animationDelay = `${-((performance.now() / 1000) % seconds)}s`;
    wire.append(traffic);
  }
  return wire;
}

function drawGateway({ x, y, narrow }, segments) {
  const source = segments.map((segment) => segment.source).find(Boolean);
  if (narrow) {
    return shape("g", { class: "gateway" }, shape("circle", { cx: x, cy: y, r: 13 }),
      leftText(x + 24, y - 2, "name", "this gateway"), leftText(x + 24, y + 15, "soft", source || ""));
  }
  return shape("g", { class: "gateway" }, shape("circle", { cx: x, cy: y, r: 44 }),
    shape("text", { x, y: y - 2 }, "this"), shape("text", { x, y: y + 14 }, "gateway"),
    shape("text", { x, y: y + 64, class: "below" }, source || ""));
}

// Out of the group's own rules for text, which are white and centred.
function leftText(x, y, className, text) {
  const made = shape("text", { x, y, class: className }, text);
  made.style.textAnchor = "start";
  made.style.fill = "var(--ink)";
  return made;
}

function drawBox(box, domain, known, searching) {
  const { segment, x, y, width, height } = box;
  const up = segment.state === "up";
  const rates = ratesOf(segment);
  const link = [segment.interface === segment.segment ? "" : segment.interface, segment.wifi ? `${segment.kind} ${segment.wifi}` : segment.kind].filter(Boolean).join(" · ");
  const group = shape("g", { class: up ? "segment" : "segment bad", "data-key": keyOf(segment) },
    shape("rect", { class: "box", x, y, width, height, rx: 10 }),
    shape("rect", { class: "bar", x, y: y + 10, width: 4, height: Math.max(10, height - 20), rx: 2 }),
    shape("text", { class: "name", x: x + PAD, y: y + 24 }, cut(segment.segment, width < 330 ? 14 : 22)),
    shape("text", { class: "soft right", x: x + width - PAD, y: y + 24 }, cut(link, 22)),
    shape("text", { class: up ? "soft" : "bad-text", x: x + PAD, y: y + 43 },
      up ? `${plural(segment.hosts, "host")}${segment.suspects ? `, ${segment.suspects} suspect` : ""}` : segment.state.replaceAll("_", " ")),
    shape("text", { class: "soft right", x: x + width - PAD, y: y + 43 },
      width < 330 ? `read ${perSecond(rates.read)}/s` : `read ${perSecond(rates.read)}/s · answered ${perSecond(rates.answered)}/s`));
  const middle = { x: x + width / 2, y: y + height / 2 };
  places.set(keyOf(segment), { ...middle, domain, segment: keyOf(segment) });
  segment.listed.slice(0, box.shown).forEach((host, number) => {
    const at = {
      x: x + PAD + (number % box.columns) * box.stepX + 5,
      y: y + HEAD + Math.floor(number / box.columns) * box.stepY + 8,
    };
    const place = JSON.stringify([segment.netns, segment.domain, host.address]);
    const was = known.get(place);
    places.set(place, { ...at, domain, segment: keyOf(segment) });
    const classes = ["host", host.state === "alive" ? "" : "suspect", !was && before ? "new" : "",
      searching.length && matches(host, segment, searching) ? "found" : ""].filter(Boolean).join(" ");
    const dot = shape("circle", { cx: at.x, cy: at.y, r: 5.2, opacity: Math.max(0.5, 1 - host.age_seconds / 1800).toFixed(2) },
      shape("title", {}, `${host.address}, ${host.lladdr || "link-layer address unknown"}, ${host.state}, heard ${span(host.age_seconds)} ago`));
    group.append(shape("g", { class: classes, "data-address": host.address }, dot,
      box.named ? shape("text", { x: at.x + 11, y: at.y + 4 }, host.address) : null));
  });
  const below = y + HEAD + (box.shown ? box.rows * box.stepY + 18 : 22);
  if (box.rest > 0 && box.shown) {
    group.append(shape("text", { class: "soft", x: x + PAD, y: below }, `and ${box.rest.toLocaleString("en")} more`));
  } else if (box.rest > 0) {
    // Too many to draw each: their number, and a bar as long as the segment is large beside the largest.
    const most = Math.max(...state.segments.map((other) => other.hosts));
    const long = (width - 2 * PAD) * (segment.hosts / most);
    group.append(shape("text", { class: "count", x: x + PAD, y: below + 2 }, segment.hosts.toLocaleString("en")),
      shape("rect", { class: "track", x: x + PAD, y: below + 13, width: width - 2 * PAD, height: 6, rx: 3 }),
      shape("rect", { class: "share", x: x + PAD, y: below + 13, width: Math.max(6, long), height: 6, rx: 3 }));
  } else if (!segment.hosts) {
    group.append(shape("text", { class: "soft", x: x + PAD, y: below }, "no hosts known"));
  }
  return group;
}

// A host went from one segment to another.
function showMove(netns, { domain, address, old_segment: from, segment: to }) {
  const drawing = drawings.get(JSON.stringify([netns, domain]));
  if (!drawing) return;
  const ends = [from, to].map((name) => places.get(JSON.stringify([netns, domain, name])));
  for (const end of ends) {
    const group = end && [...drawing.svg.querySelectorAll(".segment")].find((group) => group.dataset.key === end.segment);
    if (group) flash(end.segment);
  }
  if (!ends[0] || !ends[1] || still.matches || document.hidden) return;
  const arrival = places.get(JSON.stringify([netns, domain, address])) || ends[1];
  const mover = shape("g", { class: "mover" }, shape("circle", { r: 8 }), shape("text", { x: 0, y: -14 }, address));
  drawing.movers.append(mover);
  const at = ({ x, y }) => `translate(${x}px, ${y}px)`;
  const middle = drawing.svg.viewBox.baseVal;
  const way = [at(ends[0]), `translate(${(ends[0].x + arrival.x) / 2}px, ${middle.height / 2}px)`, at(arrival)];
  mover.animate({ transform: way, opacity: [0.2, 1, 1] }, { duration: 1600, easing: "ease-in-out" })
    .finished.finally(() => mover.remove());
}

// The drawing is made anew every second; what flashes goes on flashing.
const flashing = new Map();
function flash(key) {
  flashing.set(key, Date.now() + 1800);
  showFlashes();
}
function showFlashes() {
  const now = Date.now();
  for (const group of document.querySelectorAll(".segment")) {
    const until = flashing.get(group.dataset.key);
    if (until > now) {
      group.classList.add("flash");
      group.querySelector(".box").style.animationDelay = `${(until - now - 1800) / 1000}s`;
    }
  }
}

// Searching -----------------------------------------------------------------------------------------------------------

let explained = 0;

async function explain(address) {
  const mine = ++explained;
  const place = byId("explanation");
  if (!address) {
    place.hidden = true;
    return;
  }
  try {
    const response = await fetch(`explain.json?address=${encodeURIComponent(address)}`, { cache: "no-store", signal: AbortSignal.timeout(8000) });
    const rows = response.ok ? await response.json() : [];
    if (mine !== explained) return;
    place.replaceChildren(...rows.flatMap(explanation));
  } catch (error) {
    if (mine !== explained) return;
    place.replaceChildren(element("p", {}, String(error.message || error)));
  }
  place.hidden = false;
}

function explanation(row) {
  const host = row.host;
  let text = `${row.address} is not known in domain ${row.domain}.`;
  if (!row.in_domain) text = `${row.address} lies in no prefix of domain ${row.domain}.`;
  if (row.own) text = `${row.address} is this machine's own address.`;
  if (host) {
    text = `${row.address} in domain ${row.domain}: ${host.state} on ${host.segment} at ${host.lladdr || "an unknown link-layer address"}, heard ${span(host.age_seconds)} ago, learned from ${host.learned_from}, route ${host.route}.`;
  }
  const answers = row.segments.map((answer) => element("li", {}, `requests on ${answer.segment}: ${answer.answered === "yes" ? "answered" : answer.answered === "no" ? "not answered" : answer.answered}, because ${answer.because} (${answer.rule})`));
  return [element("p", {}, element("b", {}, text)), element("ul", {}, ...answers)];
}

// The address that is typed, if it is a whole one.
function wholeAddress() {
  const text = byId("search").value.trim();
  const whole = /^(\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split(".").every((part) => Number(part) < 256);
  return whole ? text : null;
}

let typing = null;
byId("search").addEventListener("input", () => {
  if (!state) return;
  drawDomains();
  drawHosts();
  clearTimeout(typing);
  typing = setTimeout(() => explain(wholeAddress()), 300);
});
byId("search-form").addEventListener("submit", (event) => event.preventDefault());
byId("host-table").tHead.addEventListener("click", (event) => {
  const column = event.target.dataset && event.target.dataset.column;
  if (!column || !state) return;
  sorted = { column, down: sorted.column === column && !sorted.down };
  drawHosts();
});
let resizing = null;
setInterval(() => wholeAddress() && !document.hidden && explain(wholeAddress()), 5 * EVERY);
addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => state && drawDomains(), 100);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !(event.target instanceof HTMLInputElement) && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    byId("search").focus();
  }
});

ask();
