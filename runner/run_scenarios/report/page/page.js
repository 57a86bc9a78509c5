"use strict";

// All data is text: it reaches the page only through `make`, which never interprets markup.

const KINDS = {
  failed: { word: "failed", sign: "✕" },
  known: { word: "known to fail", sign: "!" },
  skipped: { word: "skipped", sign: "–" },
  passed: { word: "passed", sign: "✓" },
  none: { word: "not run", sign: "…" },
};
const SIGNS = { send: "→", recv: "←", exec: "$", exit: "=" };
const CHUNK = 200;
const SHOWN = 100;
const LONG = 110;

function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element && !name.startsWith("aria")) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
}

const find = (id) => document.getElementById(id);
const isIn = (element) => element.closest("input, select, textarea");

function shown(seconds) {
  if (seconds === null || seconds === undefined) return "";
  if (seconds < 0.9995) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}

const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

function place(element, from, length, whole) {
  element.style.left = `${(100 * from) / whole}%`;
  element.style.width = `${(100 * length) / whole}%`;
}

// ---- the data

const run = JSON.parse(document.querySelector("script.run").textContent);
const cases = Array.from(document.querySelectorAll("script.case"), (block) => {
  const each = JSON.parse(block.textContent);
  each.kind ??= "none";
  each.tags ??= [];
  each.ran = each.worker !== undefined;
  each.words = [each.name, each.title, each.message, each.note, each.outcome, ...each.tags].join("\n").toLowerCase();
  return each;
}).sort((one, other) => one.index - other.index);
const byIndex = new Map(cases.map((each) => [each.index, each]));
const ran = cases.filter((each) => each.ran);
const longest = Math.max(0.001, ...ran.map((each) => each.took));
const counts = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, cases.filter((each) => each.kind === kind).length]));

async function unpack(index) {
  const block = find(`about-${index}`);
  if (!block) return { failure: null, steps: [], omitted: 0 };
  const bytes = Uint8Array.from(atob(block.textContent), (char) => char.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}

// ---- helpers

function dot(kind) {
  return make("span", { className: `dot ${kind}`, role: "img", "aria-label": KINDS[kind].word }, KINDS[kind].sign);
}

function copier(text) {
  const button = make("button", { className: "copy", type: "button" }, "Copy");
  button.addEventListener("click", async () => {
    button.textContent = (await copy(text)) ? "Copied" : "Select it";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  return button;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Pages served over plain HTTP have no clipboard.
    const area = make("textarea", { value: text });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

const command = (text) => make("div", { className: "command" }, make("code", {}, text), copier(text));

// ---- the head

function verdict() {
  if (counts.failed) return ["failed", `${counts.failed} of ${counted(cases.length, "case")} failed`];
  if (run.stopped) return ["failed", cases.length ? "not complete" : "nothing ran"];
  if (counts.passed === cases.length) return ["passed", cases.length === 1 ? "the case passed" : `all ${counted(cases.length, "case")} passed`];
  return ["passed", `${counts.passed} of ${counted(cases.length, "case")} passed, none failed`];
}

function drawHead() {
  const [kind, words] = verdict();
  document.title = `${words} – run-scenarios`;
  const busy = ran.reduce((sum, each) => sum + each.took, 0);
  const lanes = new Set(ran.map((each) => each.worker)).size;
  const facts = make("p", { className: "facts" });
  const fact = (...parts) => facts.append(make("span", {}, ...parts));
  if (run.began) {
    const when = new Date(run.began).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
    fact(make("time", { dateTime: run.began, title: run.began }, when));
  }
  for (const qemu of run.qemus) fact(make("b", {}, qemu));
  if (run.seconds !== null) fact("took ", make("b", {}, shown(run.seconds)));
  if (lanes) fact("cases took ", make("b", {}, shown(busy)), lanes > 1 ? ` on ${lanes} workers` : " on one worker");
  const head = find("head");
  head.append(make("div", { className: `verdict ${kind}` }, dot(kind), make("strong", {}, words)), facts);
  if (run.stopped) head.append(make("p", { className: "stopped" }, run.stopped));
  if (cases.length) head.append(share());
  if (run.command) head.append(command(run.command));
}

function share() {
  const bar = make("div", { className: "share", role: "img", "aria-label": "shares of outcomes" });
  for (const kind of Object.keys(KINDS)) {
    if (!counts[kind]) continue;
    const part = make("i", { className: kind, title: `${counts[kind]} ${KINDS[kind].word}` });
    part.style.flexGrow = counts[kind];
    part.style.background = "var(--own)";
    bar.append(part);
  }
  return bar;
}

function drawFindings() {
  const section = find("findings");
  if (!run.findings.length) return;
  section.hidden = false;
  const errors = run.findings.filter((each) => each.severity === "error").length;
  const words = [errors && counted(errors, "error"), run.findings.length > errors && counted(run.findings.length - errors, "warning")];
  const details = make("details", { open: !cases.length },
    make("summary", { className: "bar" }, make("h2", {}, `In the files: ${words.filter(Boolean).join(", ")}`)),
    ...run.findings.map((each) => make("pre", { className: "finding" }, each.text)));
  section.append(details);
}

// ---- comparison of builds and rounds

function grouped(key) {
  const groups = new Map();
  for (const each of cases) {
    const name = key(each);
    if (!groups.has(name)) groups.set(name, []);
    groups.get(name).push(each);
  }
  return [...groups];
}

function squares(members) {
  return make("div", { className: "squares" }, ...members.map((each) => {
    const label = `${each.name}: ${KINDS[each.kind].word}`;
    return make("button", { type: "button", className: each.kind, title: label, "aria-label": label, onclick: () => go(each.index) });
  }));
}

function table(id, title, words, heads, lines) {
  const section = find(id);
  section.hidden = false;
  section.append(make("div", { className: "bar" }, make("h2", {}, title), make("span", { className: "faint" }, words)));
  if (!lines.length) return;
  const cell = (content) => make("td", {}, content);
  const left = lines.length - SHOWN;
  section.append(make("div", { className: "wide" }, make("table", {},
    make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, ...lines.slice(0, SHOWN).map(([name, ...rest]) => make("tr", {}, make("th", { scope: "row" }, name), ...rest.map(cell)))))));
  if (left > 0) section.append(make("p", { className: "faint left" }, `… and ${counted(left, "more case")}`));
}

function drawBuilds() {
  const builds = [...new Set(cases.map((each) => each.build).filter(Boolean))];
  if (builds.length < 2) return;
  const nameOf = (each) => (each.case ?? each.name).replace(`qemu=${each.build}`, "").replace(/,(?=\])|\[\]/, "");
  const groups = grouped(nameOf).filter(([, members]) => members[0].build);
  const differing = groups.filter(([, members]) => new Set(members.map((each) => each.kind)).size > 1);
  const words = differing.length ? `${differing.length} of ${counted(groups.length, "case")} did not end alike` : `${counted(groups.length, "case")} ended alike on all`;
  table("builds", "Builds", words, ["case", ...builds.map((build) => `QEMU ${build}`)],
    differing.map(([name, members]) => [name, ...builds.map((build) => squares(members.filter((each) => each.build === build)))]));
}

function drawRounds() {
  const several = grouped((each) => each.case ?? each.name).filter(([, members]) => members.length > 1);
  if (!several.length) return;
  const failures = (members) => members.filter((each) => each.kind === "failed").length;
  const flaky = several.filter(([, members]) => failures(members)).sort((one, other) => failures(other[1]) - failures(one[1]));
  const words = flaky.length ? `${flaky.length} of ${counted(several.length, "case")} failed in some round` : `no round of ${counted(several.length, "case")} failed`;
  table("rounds", "Rounds", words, ["case", "failed", "rounds"],
    flaky.map(([name, members]) => [name, `${failures(members)} of ${members.length}`, squares(members)]));
}

// ---- the timeline

const bars = new Map();
let zoom = 1;

function drawTimeline() {
  if (!ran.length) return;
  const section = find("timeline");
  section.hidden = false;
  const whole = Math.max(run.seconds ?? 0, ...ran.map((each) => each.at + each.took));
  const inner = make("div");
  const lanes = make("div", { className: "lanes", tabIndex: 0, role: "group", "aria-label": "cases over the workers" }, inner);
  const hint = make("div", { className: "hint", id: "hint" }, "Point at a bar to see which case it is; click to open it.");
  const rows = new Map();
  const axis = make("div", { className: "axis" });
  inner.append(axis);
  for (const worker of [...new Set(ran.map((each) => each.worker))].sort((one, other) => one - other)) {
    rows.set(worker, make("div", { className: "lane" }));
    inner.append(rows.get(worker));
  }
  for (const each of ran) rows.get(each.worker).append(bar(each, whole, hint));
  const scale = (factor) => {
    const middle = (lanes.scrollLeft + lanes.clientWidth / 2) / lanes.scrollWidth;
    zoom = factor ? Math.min(200, Math.max(1, zoom * factor)) : 1;
    inner.style.width = `${100 * zoom}%`;
    lanes.scrollLeft = middle * lanes.scrollWidth - lanes.clientWidth / 2;
    drawAxis(axis, whole, lanes.clientWidth * zoom);
    for (const [index, element] of bars) name(element, byIndex.get(index), (byIndex.get(index).took / whole) * lanes.clientWidth * zoom);
  };
  const button = (text, label, factor) => make("button", { type: "button", className: "small", "aria-label": label, onclick: () => scale(factor) }, text);
  section.append(
    make("div", { className: "bar" }, make("h2", {}, "Timeline"),
      make("span", { className: "faint grow" }, rows.size > 1 ? `${rows.size} cases at a time, one row each` : "one case at a time"),
      button("−", "zoom out", 0.5), button("+", "zoom in", 2), button("Fit", "show all", 0)),
    lanes, hint);
  lanes.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    scale(event.deltaY < 0 ? 1.25 : 0.8);
  }, { passive: false });
  addEventListener("resize", () => scale(1));
  scale(1);
}

function bar(each, whole, hint) {
  const element = make("button", { type: "button", className: each.kind, tabIndex: -1, onclick: () => go(each.index) });
  place(element, each.at, each.took, whole);
  element.addEventListener("mouseenter", () => {
    hint.replaceChildren(make("b", {}, each.name), `  ${KINDS[each.kind].word}, ${shown(each.took)}, from ${shown(each.at)}`, each.title ? `  ·  ${each.title}` : "");
  });
  bars.set(each.index, element);
  return element;
}

function name(element, each, width) {
  element.classList.toggle("thin", width < 14);
  element.textContent = width < 40 ? "" : each.name.split("/").at(-1);
}

function drawAxis(axis, whole, width) {
  const step = niceStep(whole / Math.max(2, width / 110));
  const marks = [];
  for (let at = 0; at < whole && marks.length < 2000; at += step) {
    const mark = make("span", {}, `${Number(at.toPrecision(6))} s`);
    mark.style.left = `${(100 * at) / whole}%`;
    marks.push(mark);
  }
  axis.replaceChildren(...marks);
}

function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least);
}

// ---- the list of cases

const off = new Set();
const rows = new Map();
let matching = [];
let drawn = 0;
const ORDERS = {
  "failures first": (one, other) => rank(one) - rank(other) || one.index - other.index,
  "in the order of the plan": (one, other) => one.index - other.index,
  "slowest first": (one, other) => (other.took ?? 0) - (one.took ?? 0),
  "by name": (one, other) => one.name.localeCompare(other.name),
};
const rank = (each) => (each.kind === "failed" ? 0 : 1);

function drawCases() {
  if (!cases.length) return;
  const section = find("cases");
  section.hidden = false;
  const chips = make("div", { className: "chips", role: "group", "aria-label": "outcomes" });
  for (const kind of Object.keys(KINDS)) if (counts[kind]) chips.append(chip(kind));
  const filter = make("input", { id: "filter", type: "search", placeholder: "Filter by name, title, tag, message", "aria-label": "filter", autocomplete: "off", spellcheck: false });
  const order = make("select", { id: "order", "aria-label": "order" }, ...Object.keys(ORDERS).map((each) => make("option", {}, each)));
  const list = make("ol", { id: "list" });
  section.append(
    make("div", { className: "bar" }, chips, filter, order, make("span", { id: "count", className: "faint", "aria-live": "polite" })),
    list, make("div", { id: "end" }));
  filter.addEventListener("input", refresh);
  order.addEventListener("change", refresh);
  list.addEventListener("keydown", move);
  new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) more(drawn + CHUNK);
  }, { rootMargin: "800px" }).observe(find("end"));
  refresh();
}

function chip(kind) {
  const button = make("button", { type: "button", className: kind, "aria-pressed": "true", title: "click to hide or show; double click for these only" },
    make("b", {}, counts[kind].toLocaleString("en")), KINDS[kind].word);
  button.addEventListener("click", () => {
    if (!off.delete(kind)) off.add(kind);
    refresh();
  });
  button.addEventListener("dblclick", () => {
    for (const each of Object.keys(KINDS)) off[each === kind ? "delete" : "add"](each);
    refresh();
  });
  return button;
}

function refresh() {
  const words = find("filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  matching = cases.filter((each) => !off.has(each.kind) && words.every((word) => each.words.includes(word))).sort(ORDERS[find("order").value]);
  for (const button of document.querySelectorAll(".chips button")) button.setAttribute("aria-pressed", String(!off.has(button.className)));
  const kept = new Set(matching.map((each) => each.index));
  for (const [index, element] of bars) element.classList.toggle("out", !kept.has(index));
  find("count").textContent = matching.length === cases.length ? counted(cases.length, "case") : `${matching.length} of ${counted(cases.length, "case")}`;
  find("list").replaceChildren();
  drawn = 0;
  more(CHUNK);
  if (!matching.length) find("list").append(make("li", { className: "empty" }, "No case is like that."));
}

function more(until) {
  const fresh = matching.slice(drawn, until);
  find("list").append(...fresh.map(row));
  drawn += fresh.length;
}

function row(each) {
  if (rows.has(each.index)) return rows.get(each.index);
  const length = make("span", { className: "length" });
  if (each.ran && each.kind !== "skipped") {
    const inner = make("i");
    inner.style.width = `${(100 * each.took) / longest}%`;
    length.append(inner);
  }
  const why = [each.note, each.message].filter(Boolean).join(": ");
  const button = make("button", { type: "button", className: "row", "aria-expanded": "false", onclick: () => toggle(item, each) },
    dot(each.kind),
    make("span", { className: "title" }, make("b", {}, each.name), make("span", { className: "faint" }, each.title ?? ""), ...each.tags.map((tag) => make("span", { className: "tag" }, tag))),
    length, make("span", { className: "time" }, each.ran && each.kind !== "skipped" ? shown(each.took) : ""),
    why ? make("span", { className: "why" }, why) : null);
  const item = make("li", { className: each.kind, id: `case-${each.index}` }, button);
  rows.set(each.index, item);
  return item;
}

async function toggle(item, each) {
  const opening = item.classList.toggle("open");
  item.firstChild.setAttribute("aria-expanded", String(opening));
  if (!opening) {
    item.querySelector(".about")?.remove();
    return;
  }
  history.replaceState(null, "", `#case-${each.index}`);
  const about = await aboutCase(each);
  if (item.classList.contains("open") && !item.querySelector(".about")) item.append(about);
}

async function go(index) {
  const each = byIndex.get(index);
  if (!each) return;
  if (!matching.includes(each)) {
    off.clear();
    find("filter").value = "";
    refresh();
  }
  more(Math.max(drawn, matching.indexOf(each) + 1));
  const item = row(each);
  if (!item.classList.contains("open")) await toggle(item, each);
  item.scrollIntoView({ block: "start" });
  item.firstChild.focus({ preventScroll: true });
}

function move(event) {
  const item = event.target.classList.contains("row") && event.target.parentElement;
  if (!item) return;
  const next = { ArrowDown: item.nextElementSibling, ArrowUp: item.previousElementSibling }[event.key];
  if (next === undefined) return;
  event.preventDefault();
  next?.firstChild.focus();
}

function nextFailure() {
  const failed = matching.filter((each) => each.kind === "failed");
  if (!failed.length) return;
  const now = Number(document.activeElement?.closest("#list > li")?.id.replace("case-", "") || -1);
  go((failed[failed.findIndex((each) => each.index === now) + 1] ?? failed[0]).index);
}

// ---- one case

async function aboutCase(each) {
  const { failure, steps, omitted } = await unpack(each.index);
  const about = make("div", { className: "about" });
  if (failure) about.append(failureOf(each, failure));
  else if (each.note) about.append(make("p", {}, each.note));
  if (each.rerun) about.append(make("h3", {}, "Run it again"), command(each.rerun));
  about.append(factsOf(each));
  if (steps.length) {
    const bad = failure ? failure.step : 0;
    about.append(make("h3", {}, `${counted(steps.length + omitted, "step")}, with what each sent, received and started`),
      make("ol", { className: "steps" }, ...steps.map((step) => stepOf(step, each.took, step.number === bad))));
    if (omitted) about.append(make("p", { className: "faint" }, `… and ${counted(omitted, "more step")}`));
  }
  return about;
}

function factsOf(each) {
  const list = make("dl");
  const fact = (term, text) => text && list.append(make("dt", {}, term), make("dd", { className: "mono" }, text));
  fact("file", each.file);
  if (each.ran) fact("ran", `from ${shown(each.at)} for ${shown(each.took)}, in row ${each.worker + 1}`);
  fact("artifacts", each.artifacts);
  return list;
}

function failureOf(each, failure) {
  const inner = make("div");
  const block = (title, text) => text && inner.append(make("h3", {}, title), make("pre", { className: "block" }, text));
  inner.append(make("div", { className: "place mono" }, `${failure.file}:${failure.line}:${failure.column}`), sourceOf(failure.excerpt));
  for (const span of [...failure.called_from].reverse()) {
    inner.append(make("div", { className: "faint mono" }, `called from ${span.file}:${span.line}`));
  }
  if (failure.expected || failure.found) inner.append(pair(failure.expected, failure.found));
  block("Differences", failure.details.join("\n"));
  block(`stderr of '${failure.stderr_vm}'`, failure.stderr);
  block("The step as it ran", pretty(failure.ran));
  if (!failure.step) block("Last messages", failure.last_messages.join("\n"));
  const where = failure.step ? `step ${failure.step} (${failure.verb})${failure.name ? `, ${failure.name}` : ""}: ` : "";
  const head = make("p", {}, failure.step ? jump(failure.step) : null, `${each.outcome}: ${where}${failure.message}`);
  return make("div", { className: `failure ${each.kind}` }, head, inner);
}

function jump(number) {
  const show = (event) => event.target.closest(".about").querySelector(".steps .bad")?.scrollIntoView({ block: "center" });
  return make("button", { type: "button", className: "small", onclick: show }, `Show step ${number}`);
}

function sourceOf(lines) {
  const source = make("pre", { className: "source" });
  lines.forEach((line, number) => {
    const end = number < lines.length - 1 ? "\n" : "";
    const caret = line.match(/^( +[|] [\s]*)(\^+)(.*)$/);
    source.append(...(caret ? [caret[1], make("span", { className: "caret" }, caret[2] + caret[3]), end] : [line + end]));
  });
  return source;
}

function pair(wanted, found) {
  const [left, right] = [pretty(wanted), pretty(found)];
  const [from, to, until] = common(left, right);
  const marked = (text, end) => {
    const changed = text.slice(from, end);
    return ["", text.slice(0, from), changed ? make("mark", {}, changed) : "", text.slice(end)].filter((part) => part !== "");
  };
  const half = (title, kind, parts) => make("div", {}, make("h3", {}, title), make("pre", { className: kind }, ...parts));
  return make("div", { className: "pair" }, half("Expected", "wanted", marked(left, to)), half("Found", "found", marked(right, until)));
}

function common(left, right) {
  // The range in which two texts differ; nothing is marked if they have little in common.
  let [from, back] = [0, 0];
  const most = Math.min(left.length, right.length);
  while (from < most && left[from] === right[from]) from += 1;
  while (back < most - from && left.at(-1 - back) === right.at(-1 - back)) back += 1;
  return from + back ? [from, left.length - back, right.length - back] : [0, 0, 0];
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function stepOf(step, whole, bad) {
  const ended = step.took !== undefined;
  const kind = bad ? "failed" : !ended ? "none" : step.skipped ? "skipped" : "passed";
  const when = make("span", { className: `when ${kind}` });
  if (ended) {
    const inner = make("i");
    place(inner, step.at, step.took, Math.max(whole, 0.0001));
    when.append(inner);
  }
  const what = make("span", { className: "what", title: `${step.file}:${step.line}` }, make("b", {}, step.verb), make("span", {}, step.name), make("code", {}, argumentOf(step)));
  what.style.paddingLeft = `${Math.min(step.depth, 12) * 14}px`;
  const cells = [make("span", { className: "number" }, String(step.number)), what, when, make("span", { className: "time" }, !ended ? "not ended" : step.skipped ? "skipped" : shown(step.took))];
  if (!step.traffic?.length && !step.omitted) return make("li", { className: bad ? "bad" : "" }, make("div", { className: "plain" }, ...cells));
  const details = make("details", {}, make("summary", {}, ...cells));
  details.addEventListener("toggle", () => { if (details.open && details.childElementCount === 1) details.append(trafficOf(step)); });
  details.open = bad;
  return make("li", { className: bad ? "bad" : "" }, details);
}

function argumentOf(step) {
  // The line of a step repeats its verb.
  const line = step.source.replace(/^- +/, "");
  return line.startsWith(step.verb) ? line.slice(step.verb.length).replace(/^ *: */, "") : line;
}

function trafficOf(step) {
  const list = make("ol", { className: "traffic mono" });
  for (const [at, vm, kind, text] of step.traffic) {
    const body = text.length > LONG
      ? make("details", {}, make("summary", { title: "click for all of it" }, text.slice(0, 400)), make("pre", {}, pretty(text)))
      : make("span", {}, kind === "exit" ? `status ${text}` : text);
    list.append(make("li", {}, make("span", {}, shown(at)), make("span", { className: "vm" }, vm || "tool"), make("span", { className: kind }, SIGNS[kind]), body));
  }
  if (step.omitted) list.append(make("li", {}, make("span"), make("span"), make("span"), make("span", { className: "faint" }, `… and ${counted(step.omitted, "more message")}, see the trace`)));
  return list;
}

// ---- start

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !find("filter")) return;
  if (event.key === "Escape" && event.target.id === "filter") {
    find("filter").value = "";
    refresh();
  } else if (event.key === "/" && !isIn(event.target)) {
    event.preventDefault();
    find("filter").focus();
  } else if (event.key === "n" && !isIn(event.target)) {
    nextFailure();
  }
});

drawHead();
drawFindings();
drawBuilds();
drawRounds();
drawTimeline();
drawCases();
document.body.append(make("footer", {},
  make("span", { className: "keys" }, make("kbd", {}, "/"), " filter  ", make("kbd", {}, "n"), " next failure  ", make("kbd", {}, "↑"), " ", make("kbd", {}, "↓"), " move  ", make("kbd", {}, "Enter"), " open   "),
  `run-scenarios ${run.program}`));
const asked = location.hash.match(/^#case-(\d+)$/);
if (asked) go(Number(asked[1]));
