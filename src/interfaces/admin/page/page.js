// The admin page shows the state of the admin API, and starts and stops runs through it.
//
// All data goes into the page as text nodes and never as markup, since descriptions, names and
// errors may be hostile. URLs are relative, so that a proxy may serve the page under any path.

const RUNS_EVERY = 3_000;
const REST_EVERY = 30_000;
/** A browser opens few connections to one server. Any further run is shown without bars. */
const STREAMS = 3;
const SHOWN_RUNS = 25;
/** The page waits this long until it shows what it has. */
const PATIENCE = 5_000;
const TOKEN = "shopwarm-token";

const byId = (id) => document.getElementById(id);
const main = document.querySelector("main");

/** Makes an element; `attributes` are `text`, `class`, `on` (listeners) or plain attributes. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "on") for (const [event, heard] of Object.entries(value)) element.addEventListener(event, heard);
    else if (name === "text") element.textContent = inert(value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Shows control characters, and characters that change the writing direction, as numbers. */
const inert = (value) => String(value).replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
  (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Text from the server. */
const data = (text) => make("span", { class: "data", text: words(text) });

/** Begins a sentence; a name such as `shop.toml` or `catalog/page` keeps its case. */
const capital = (text) => (/^[a-z]+(?= )/.test(text) ? text.charAt(0).toUpperCase() + text.slice(1) : text);

/** The same with `commands` formatted as code. */
const prose = (text) => make("span", { class: "data" }, ...words(text).split("`").map((piece, i) => make(i % 2 ? "code" : "span", { text: piece })));

// ---------------------------------------------------------------------------------- wording

const NONE = "–";

const words = (value) => (value === undefined || value === null || value === "" ? NONE : String(value));
const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
const count = (value) => (isNumber(value) ? Math.round(value).toLocaleString("en") : NONE);
const plural = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;
const keys = (n) => plural(n, "key", "keys");
const manyStrategies = (n) => plural(n, "strategy", "strategies");
const list = (value) => (Array.isArray(value) ? value : []);

/** `100 of 400 keys`, `100 of about 400 keys`; `100 keys` if the total is not known. */
function ofWhole(n, { expected, expected_is_exact: exact }) {
  if (!isNumber(expected)) return keys(n);
  return `${count(n)} of ${exact ? "" : "about "}${keys(expected)}`;
}

/** The same for a column. */
function overWhole(n, { expected, expected_is_exact: exact }) {
  return `${count(n)} / ${exact || !isNumber(expected) ? "" : "~"}${count(expected)}`;
}

const failedStrategies = (failed, all) => (failed > 0 ? `${count(failed)} of ${manyStrategies(all)} failed` : "");

/** Never rounded up to 100 %. */
const percent = (share) => (isNumber(share) ? `${(Math.floor(share * 1000) / 10).toFixed(1)}%` : NONE);

function bytes(value) {
  if (!isNumber(value)) return NONE;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? count(value) : value.toFixed(value < 10 ? 1 : 0)} ${units[unit]}`;
}

const two = (value) => String(value).padStart(2, "0");

/** How long something took. */
function took(ms) {
  if (!isNumber(ms) || ms < 0) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const s = Math.floor(ms / 1000);
  if (s < 60) return `${s}.${Math.floor((ms % 1000) / 100)} s`;
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  return `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m`;
}

/** How long something lasts, as one would write it in a definition: 2h, 1h 30m, 45s. */
function span(seconds) {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 1) return `${Math.round(seconds * 1000)}ms`;
  let rest = Math.round(seconds);
  const parts = [];
  for (const [size, unit] of [[86_400, "d"], [3_600, "h"], [60, "m"], [1, "s"]]) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)}${unit}`);
    rest %= size;
  }
  return parts.join(" ");
}

/** Times use the server's clock, since the browser's may be wrong. */
let clockOffset = 0;
const now = () => Date.now() + clockOffset;

/** A distance in time, in its largest useful unit. */
function distance(ms) {
  const s = Math.floor(Math.abs(ms) / 1000);
  if (s < 60) return `${s}s`;
  if (s < 3600) return span(s - (s % 60));
  return span(s < 86_400 ? s - (s % 60) : s - (s % 3600));
}

function relative(then) {
  const ms = then - now();
  if (Math.abs(ms) < 2000) return "now";
  return ms < 0 ? `${distance(ms)} ago` : `in ${distance(ms)}`;
}

const DAY_AND_TIME = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hour12: false };

/** A time relative to now, which a timer updates. */
function ago(text, toWords = relative) {
  const then = Date.parse(text);
  if (Number.isNaN(then)) return make("span", { text: NONE });
  const time = make("time", { datetime: text, title: new Date(then).toLocaleString("en-GB", { timeZoneName: "short" }) });
  time.tell = () => {
    const said = toWords(then);
    if (time.textContent !== said) time.textContent = said;
  };
  time.tell();
  return time;
}

/** In this browser's time zone. */
function moment(text) {
  const then = new Date(text);
  return Number.isNaN(then.getTime()) ? NONE : then.toLocaleString("en-GB", DAY_AND_TIME).replace(",", "");
}

/** A local time, in the zone in which it is written. */
function wallClock(text, options) {
  const written = /^(\d+)-(\d\d)-(\d\d)[T ](\d\d):(\d\d)/.exec(text ?? "");
  if (!written) return words(text);
  const [year, month, day, hour, minute] = written.slice(1).map(Number);
  const then = new Date(Date.UTC(year, month - 1, day, hour, minute));
  return then.toLocaleString("en-GB", { ...options, timeZone: "UTC" }).replace(",", "");
}

const STATES = {
  running: ["running", ""],
  stopping: ["stopping", "warn"],
  waiting: ["waiting", "dim"],
  completed: ["completed", "good"],
  failed: ["failed", "bad"],
  cancelled: ["stopped", "warn"],
};

const mark = (text, tone) => make("span", { class: `mark ${tone}`, text });
const stateMark = (state) => mark(...(STATES[state] ?? [words(state), "dim"]));

/** Keys that should be warm and may not be. */
const lost = (counts) => (counts.failed ?? 0) + (counts.unknown ?? 0);

/** A strategy that lost keys did not do its work, even where it was read to its end. */
const strategyMark = (strategy) => (strategy.status === "completed" && lost(strategy) > 0 ? mark("incomplete", "bad") : stateMark(strategy.status));

/** What the server says about the end of a run, as the command line shows it. */
const TONES = { "✓": "good", "~": "good", "!": "warn", "✗": "bad" };
const tone = (run) => TONES[run.mark] ?? "";

/** How a run ended, in a word or two. */
function ending(run) {
  const status = run.status ?? run.outcome ?? "ended";
  if (run.error) return "did not start";
  if (status === "complete" && run.passed === false) return "not verified";
  return { empty: "nothing to warm", deadline: "deadline hit" }[status] ?? words(status);
}

/** The sentence about a run, with what to do next on a line of its own. */
function verdict(run) {
  const { next } = run;
  const command = next?.startsWith("shopwarm ") ? make("code", { text: next }) : next;
  return make("p", { class: `verdict data ${tone(run)}` }, prose(words(run.verdict)), next ? make("span", { class: "next" }, "Next: ", command) : null);
}

/** The error of a strategy, which its name stands beside. */
const errorOf = ({ id, error }) => prose(error.startsWith(`${id}: `) ? error.slice(id.length + 2) : error);

/** Whether a strategy of a report did anything: one that did not took no time and wrote no bytes. */
const hasRun = ({ status, total, elapsed_ms: ms }) => status === "completed" || total > 0 || ms > 0;

const runMark = (run) => mark(ending(run), tone(run));

const TRIGGERS = { cli: "command line", api: "admin API", start: "server start", schedule: "schedule" };

/** What started a run: the job's name if there is one, since it says more than "schedule". */
const origin = (run) => (run.job ? `job ${run.job}` : (TRIGGERS[run.trigger] ?? words(run.trigger)));

/** For a dry run: the keys that it would write. */
const planned = (counts) => Math.max(0, (counts.total ?? 0) - (counts.warmed ?? 0) - (counts.skipped ?? 0) - (counts.failed ?? 0) - (counts.unknown ?? 0));

// ---------------------------------------------------------------------------------- the API

let token = sessionStorage.getItem(TOKEN) ?? "";
let locked = false;

/** An error response: `title`, `detail`, `hint` and, for 409, the `holder`. */
class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The server answered ${status}.`);
    this.status = status;
    this.problem = problem;
  }
}

async function request(path, { method = "GET", body, headers = {}, signal } = {}) {
  const used = token;
  if (used) headers.Authorization = `Bearer ${used}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, signal, body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store", credentials: "omit" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    showUnanswered();
    const hint = method === "GET" ? "This page tries again by itself." : "When it answers, check here before you try again.";
    throw new Refusal(0, { title: "The server does not answer.", hint: `Is shopwarm serve still running? ${hint}` });
  }
  answers = true;
  setClock(response.headers.get("Date"));
  if (response.ok) return response;
  const text = await response.text().catch(() => "");
  const refusal = new Refusal(response.status, asProblem(text, response));
  // A response to an older token says nothing about the current one.
  if (response.status === 401 && used === token) lock();
  throw refusal;
}

function asProblem(text, response) {
  const wait = Number(response.headers.get("Retry-After"));
  const hint = wait > 0 ? `Try again in ${span(wait)}.` : undefined;
  try {
    const problem = JSON.parse(text);
    if (problem && typeof problem === "object") return { hint, ...problem };
  } catch {
    // Not from the API: a proxy's page, or plain text.
  }
  const plain = text.length < 300 && !text.trimStart().startsWith("<") ? text.trim() : "";
  return { title: plain || `The server answered ${response.status} ${response.statusText}`.trim() + ".", hint };
}

const ask = async (path, options) => (await request(path, options)).json();

function setClock(date) {
  const then = Date.parse(date ?? "");
  if (Number.isNaN(then)) return;
  // The header has only whole seconds, and took time to arrive.
  const offset = then + 500 - Date.now();
  clockOffset = Math.abs(offset) > 2000 ? offset : 0;
}

const part = encodeURIComponent;

/** The error in sentences. */
function explain(refusal) {
  const { problem = {} } = refusal;
  const lines = [prose(capital(refusal.message))];
  const { holder } = problem;
  // Usually the message already names the holder.
  if (holder?.run_id && !refusal.message.includes(holder.run_id)) lines.push(make("br"), ...told(holder));
  const known = list(problem.known);
  if (known.length > 0) lines.push(make("br"), "Known: ", data(known.join(", ")), ".");
  const here = cards.has(holder?.run_id) ? "Wait for it, or stop it on this page." : "";
  if (here) lines.push(make("br"), make("span", { class: "quiet", text: here }));
  else if (problem.hint) lines.push(make("br"), make("span", { class: "quiet" }, "Hint: ", prose(problem.hint)));
  return lines;
}

function told(holder) {
  const since = Date.parse(holder.since ?? "");
  const { pid, run_id: id } = holder;
  const which = [pid ? `pid ${pid}` : "", pid && id ? ", " : "", id ? "run " : "", id ? make("code", { class: "data", text: id }) : ""];
  return [
    make("code", { class: "data", text: words(holder.command) }), " has been running on ", data(holder.host),
    Number.isNaN(since) ? "" : ` for ${distance(now() - since)}`,
    ...(pid || id ? [" (", ...which, ")"] : []), ".",
  ].filter((piece) => piece !== "");
}

// ---------------------------------------------------------------------------------- notices

function notice(tone, key, ...content) {
  forgetNotice(key);
  const box = make("div", { class: `notice ${tone}`, role: "alert" });
  box.dataset.key = key;
  const close = make("button", { type: "button", text: "Close", "aria-label": "Close this message", on: { click: () => box.remove() } });
  box.append(make("div", {}, ...content), close);
  byId("notices").append(box);
}

function forgetNotice(key) {
  for (const box of byId("notices").children) if (box.dataset.key === key) box.remove();
}

const say = (text) => {
  byId("spoken").textContent = text;
};

/** Whether a request did nothing is certain if shopwarm itself refused it: no answer, or one of a proxy, leaves it open. */
const didNothing = (error) => error.problem.status === error.status;

/** Runs a button's action: the button is busy meanwhile, and a refusal is shown as a notice. */
async function act(button, what, nothing, doing) {
  // Not `disabled`, which would remove the focus.
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  forgetNotice("action");
  try {
    await doing();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    // Also show the run that is in the way; a busy cache may be slow to answer.
    if (error.status === 409) loadRuns();
    const then = didNothing(error) ? nothing : `${nothing.slice(0, -1)}, as far as this page knows.`;
    if (error.status !== 401) notice("bad", "action", make("strong", { class: "data", text: `${what}: ${then}` }), make("br"), ...explain(error));
  } finally {
    button.ariaDisabled = null;
  }
}

// ---------------------------------------------------------------------------------- sections

/** Sets the note of a section, such as why it is empty. */
function note(section, text) {
  byId(`${section}-note`).replaceChildren(...[text].flat());
}

/** Redraws a section if its data has changed; the focus stays on the same element. */
const drawn = new Map();
function draw(section, content, build) {
  const written = JSON.stringify(content);
  if (drawn.get(section) === written) return;
  drawn.set(section, written);
  const focused = document.activeElement?.dataset?.key;
  byId(section).replaceChildren(...[build()].flat());
  if (focused && !document.activeElement?.dataset?.key) {
    const again = [...byId(section).querySelectorAll("[data-key]")].find((element) => element.dataset.key === focused);
    again?.focus({ preventScroll: true });
  }
}

function wipe(section) {
  drawn.delete(section);
  byId(section).replaceChildren();
}

/** Loads a section; if that fails, the old content stays. */
async function load(section, path, show) {
  try {
    const answer = await ask(path);
    note(section, "");
    show(answer);
    return true;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 0) note(section, drawn.has(section) ? "" : "Not known: the server does not answer.");
    else if (error.status !== 401) note(section, ["Not known at the moment. ", ...explain(error)]);
    return false;
  }
}

/** A table that stays a table for screen readers even if it is laid out as cards. */
function table(caption, headings, bodies) {
  const head = make("tr", { role: "row" }, ...headings.map(([name, kind]) => make("th", { role: "columnheader", scope: "col", class: kind }, name || make("span", { class: "unseen", text: "Action" }))));
  return make("div", { class: "sheet" }, make("table", { role: "table" },
    make("caption", { class: "unseen", text: caption }), make("thead", { role: "rowgroup" }, head), ...bodies));
}

/** The heading of a row. */
const rowHead = (kind, content) => make("th", { role: "rowheader", scope: "row", class: kind }, ...[content].flat());

/** `label` is the heading of the cell in the card layout. */
function cell(kind, content, label) {
  const blank = content === "" || content === null;
  return make("td", { role: "cell", class: `${kind}${blank ? " blank" : ""}`, "data-label": label }, ...[content].flat());
}

// ---------------------------------------------------------------------------------- strategies

let strategies = [];
/** What the configuration says about all runs. */
let settings = {};

function showStrategies(answer) {
  settings = answer.settings ?? {};
  // Strategies and contexts are in the order of a run.
  strategies = list(answer.strategies).toSorted((one, other) => other.priority - one.priority);
  byId("warm-all").disabled = !strategies.some(isEnabled);
  if (strategies.length === 0) note("strategies", "No strategies. Give definitions with --contexts, or contexts in shopwarm.toml.");
  draw("strategies", strategies, () => {
    if (strategies.length === 0) return [];
    const contexts = byContext(strategies);
    const headings = [["Strategy", ""], ["Priority", "number"], ["TTL", "number"], ["Tags", ""], ["Last complete", ""], ["", "action"]];
    return table("Strategies by context", headings, [...contexts].map(([context, of]) => contextRows(context, of)));
  });
}

const isEnabled = (strategy) => strategy.enabled !== false;

function byContext(all) {
  const groups = new Map();
  for (const strategy of all) groups.set(strategy.context, [...(groups.get(strategy.context) ?? []), strategy]);
  return groups;
}

function contextRows(context, of) {
  const what = `Warm ${context}`;
  const enabled = of.filter(isEnabled).length;
  const warm = starter(what, what, `context ${context}`, `admin/warmup/${part(context)}?wait=false`, { about: `${manyStrategies(enabled)}, by priority.` });
  const head = make("tr", { role: "row", class: "group" },
    make("th", { role: "rowheader", scope: "rowgroup", colspan: 5, class: "data", text: words(context) }),
    cell("action", enabled > 0 ? warm : ""));
  return make("tbody", { role: "rowgroup", class: "group" }, head, ...of.map(strategyRow));
}

function strategyRow(strategy) {
  const { id, context, name, description, key, priority, ttl_seconds: ttl, tags, last_complete: last } = strategy;
  const address = `admin/warmup/${part(context)}/${part(name)}?wait=false`;
  const warm = starter("Warm", `Warm ${id}`, `strategy ${id}`, address, { about: description ?? "" });
  const about = [make("span", { class: "data", text: words(id), title: key ? `Keys: ${key}` : undefined })];
  if (description) about.push(make("span", { class: "about quiet data", text: description }));
  return make("tr", { role: "row" },
    rowHead("whole", about),
    cell("number", count(priority), "priority"),
    cell("number", span(ttl), "TTL"),
    cell("tags", list(tags).length > 0 ? list(tags).map((tag) => make("span", { class: "tag data", text: words(tag) })) : "", "tags"),
    cell("when", last ? [ago(last.at), make("span", { class: "about quiet", text: keys(last.keys) })] : make("span", { class: "quiet", text: "never" }), "last complete"),
    cell("action", isEnabled(strategy) ? warm : make("span", { class: "quiet", text: "excluded" })));
}

/** A button that asks how to run; `what` is its full description. */
function starter(text, what, key, address, asked) {
  const made = make("button", { type: "button", class: "act", "aria-label": what }, data(text));
  made.dataset.key = key;
  made.addEventListener("click", () => confirmRun({ what, key, address, ...asked }));
  return made;
}

/** Starts a run and follows it. */
async function start(what, address, body) {
  const { run_id: id } = await ask(address, { method: "POST", body });
  say(`${what}: started.`);
  for (const [ended, card] of cards) if (card.ended) drop(ended);
  await loadRuns();
  if (id && !cards.has(id)) follow({ run_id: id, command: what, started_at: new Date(now()).toISOString(), status: "running" });
  cards.get(id)?.root.scrollIntoView({ block: "nearest" });
}

// ---------------------------------------------------------------------------------- schedule

/** The database of time zones has several names for UTC. */
const zoneName = (zone) => (/^(Etc\/)?(UTC|UCT|Zulu|Universal)$/.test(zone ?? "") ? "UTC" : inert(zone ?? ""));

function showSchedule(answer) {
  const jobs = list(answer.jobs);
  const zone = zoneName(answer.timezone);
  byId("zone").textContent = zone ? `times in ${zone}` : "";
  if (jobs.length === 0) note("schedule", "No jobs are scheduled. Add jobs to shopwarm.toml under [schedule.NAME].");
  draw("schedule", [zone, jobs], () => jobs.map((job, nth) => jobSheet(job, zone, nth)));
}

/** What a job says about its runs: everything but what it is and when. */
function ownSettings({ name, cron, timezone, warmup, strategies: of, overlap, next, next_utc: utc, ...own }) {
  const said = Object.entries(own).filter(([, value]) => value !== null && value !== false);
  return said.map(([key, value]) => `${key.replaceAll("_", "-")}${value === true ? "" : ` ${list(value).join(", ") || words(value)}`}`);
}

function jobSheet(job, zone, nth) {
  const own = ownSettings(job);
  const what = list(job.warmup).join(", ") === "all" ? "the whole shop" : list(job.warmup).join(", ");
  // The dialog itself asks for two of them.
  const more = own.filter((setting) => !/^(mode|gentle)\b/.test(setting));
  const about = `Warms ${what}, as the job does at its times${more.length > 0 ? `: ${more.join(", ")}` : ""}.`;
  const run = starter("Run now", `Run now: ${job.name}`, `job ${job.name}`, `admin/schedule/${part(job.name)}/run?wait=false`, { about, own: job });
  const next = list(job.next);
  const ownZone = zoneName(job.timezone);
  const facts = [ownZone && ownZone !== zone ? `times in ${ownZone}` : "", `cron ${words(job.cron)}`, ...own, job.overlap === "queue" ? "waits for an active run" : ""];
  return make("article", { class: "job", "aria-labelledby": `job-${nth}` },
    make("div", { class: "line" }, make("h3", { class: "data", id: `job-${nth}`, text: words(job.name) }), run),
    make("p", {}, "Warms ", data(what)),
    make("p", { class: "quiet data", text: facts.filter(Boolean).join(", ") }),
    next.length === 0
      ? make("p", { class: "quiet", text: "No more runs are planned." })
      : make("ol", { "aria-label": "Next times" }, ...next.map((time, i) => nextTime(time, list(job.next_utc)[i]))));
}

function nextTime(local, utc) {
  // Show the date twice only if it differs, and the time only if the zone is not UTC.
  const sameTime = words(utc).slice(0, 16) === words(local).slice(0, 16);
  const sameDay = words(utc).slice(0, 10) === words(local).slice(0, 10);
  const { hour, minute, hour12, ...day } = DAY_AND_TIME;
  const inUtc = utc && !sameTime ? `${wallClock(utc, sameDay ? { hour, minute, hour12 } : { ...day, hour, minute, hour12 })} UTC` : "";
  return make("li", {},
    make("span", { text: wallClock(local, { weekday: "short", ...DAY_AND_TIME }) }),
    make("span", { class: "quiet", text: inUtc }),
    make("span", { class: "quiet" }, ago(local)));
}

// ---------------------------------------------------------------------------------- past runs

let shownRuns = SHOWN_RUNS;

function showRuns(answer) {
  const runs = list(answer.runs);
  const past = runs.filter((run) => run.status !== "running");
  if (past.length === 0) note("past", "No runs yet. Runs from this page, the schedule and the command line are listed here.");
  draw("past", [past, shownRuns], () => {
    if (past.length === 0) return [];
    const headings = [["Outcome", ""], ["Run", ""], ["Started by", "minor"], ["Host", "minor"], ["When", ""], ["Took", "number"], ["Warmed", "number"], ["Failed", "number"], ["Unconfirmed", "number"]];
    const rows = past.slice(0, shownRuns).map(pastRow);
    const rest = past.length - rows.length;
    const more = make("button", { type: "button", class: "more", text: `Show ${count(rest)} more`, on: { click: () => {
      shownRuns = Infinity;
      showRuns(answer);
    } } });
    return [table("Past runs, newest first", headings, [make("tbody", { role: "rowgroup" }, ...rows)]), rest > 0 ? more : null].filter(Boolean);
  });
  const running = runs.filter((run) => run.status === "running");
  for (const run of running) (cards.get(run.run_id) ?? follow(run)).hear(run);
  // A run that is no longer listed, or is listed as ended, has ended without an event.
  for (const [id, card] of cards) if (!card.ended && !running.some((run) => run.run_id === id)) card.lost();
}

function pastRow(run) {
  const open = make("button", { type: "button", class: "link data", text: words(run.command) });
  open.dataset.key = `run ${run.run_id}`;
  const wrong = (n, label) => cell(n > 0 ? "number bad" : "number dim zero", count(n), label);
  const row = make("tr", { role: "row", class: "opens" },
    cell("first", runMark(run)),
    rowHead("whole command", [open, ...[run.error, failedStrategies(run.strategies_failed, run.strategies)].filter(Boolean).map((text) => make("span", { class: "about bad" }, prose(text)))]),
    cell("dim minor", data(origin(run)), "by"),
    cell("dim minor", data(run.host), "on"),
    cell("when last", [ago(run.started_at), make("span", { class: "quiet exact", text: moment(run.started_at) })]),
    cell("number", run.error && !run.elapsed_ms ? NONE : took(run.elapsed_ms), "took"),
    cell("number", overWhole(run.warmed, run), "warmed"),
    wrong(run.failed, "failed"),
    wrong(run.unknown, "unconfirmed"));
  row.addEventListener("click", () => {
    location.hash = `run/${part(run.run_id)}`;
  });
  return row;
}

/** Whether the list of runs is known; `undefined`: not requested yet. */
let runsAreKnown;

async function loadRuns() {
  runsAreKnown = await load("past", "admin/runs", showRuns);
  showRunning();
}

// ---------------------------------------------------------------------------------- a report

/** The report of a run, with its mark. */
async function askReport(id) {
  const { status, mark: given, warnings, report } = await ask(`admin/runs/${part(id)}`);
  return { ...report, mark: given, warnings, running: status === "running" };
}

async function showReport(id) {
  const dialog = byId("report");
  byId("report-title").textContent = "Report";
  byId("report-body").replaceChildren(make("p", { class: "quiet", text: "Loading." }));
  if (!dialog.open) dialog.showModal();
  try {
    const report = await askReport(id);
    byId("report-title").replaceChildren(make("code", { class: "data", text: words(report.command) }));
    byId("report-body").replaceChildren(...reportOf(report));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (error.status === 401) dialog.close();
    else byId("report-body").replaceChildren(make("p", {}, ...explain(error)));
  }
}

function reportOf(report) {
  const totals = report.totals ?? {};
  const there = (totals.skipped ?? 0) - (totals.absent ?? 0) - (totals.withdrawn ?? 0);
  const facts = [
    ["outcome", report.running ? stateMark("running") : runMark(report)],
    ["warmed", `${ofWhole(totals.warmed, totals)}${there > 0 ? `, ${count(there)} already there` : ""}${isNumber(totals.success_rate) ? ` (${percent(totals.success_rate)})` : ""}`],
    ["took", report.error && !report.elapsed_ms ? NONE : took(report.elapsed_ms)],
    ["when", [ago(report.started_at), ` (${moment(report.started_at)})`]],
    ["started by", data(origin(report))],
    ["host", data(report.host)],
    ["run", make("code", { class: "data", text: words(report.run_id) })],
  ];
  const strategies = list(report.strategies);
  const content = [make("dl", { class: "facts" }, ...facts.map(([name, value]) => make("div", {}, make("dt", { text: name }), make("dd", {}, ...[value].flat()))))];
  if (report.verdict) content.push(verdict(report));
  if (report.hint) content.push(hint(report.hint));
  if (strategies.length === 0) content.push(make("p", { class: "quiet trouble", text: "No strategy ran." }));
  else content.push(reportTable(strategies));
  if (report.unmatched_total > 0) content.push(trouble(`${keys(report.unmatched_total)} without a strategy`, items(list(report.unmatched), report.unmatched_total)));
  const warnings = list(report.warnings).map((text) => make("p", { class: "warn trouble" }, prose(text)));
  return [...content, ...troubles(strategies), ...warnings];
}

function reportTable(strategies) {
  const looked = strategies.some((strategy) => planned(strategy) > 0);
  const headings = [["Strategy", ""], ["State", ""], ["Keys", "number"], ...(looked ? [["Would write", "number"]] : []), ["Warmed", "number"], ["Skipped", "number"], ["Failed", "number"], ["Unconfirmed", "number"], ["Size", "number"], ["Took", "number"]];
  const wrong = (n, label) => cell(n > 0 ? "number bad" : "number zero", count(n), label);
  const rows = strategies.map((s) => make("tr", { role: "row" },
    rowHead("whole data", words(s.id)),
    cell("", strategyMark(s)),
    cell("number", s.status === "completed" ? count(s.total) : overWhole(s.total, s), "keys"),
    ...(looked ? [cell("number", count(planned(s)), "would write")] : []),
    cell("number", count(s.warmed), "warmed"),
    cell(s.skipped > 0 ? "number" : "number zero", count(s.skipped), "skipped"),
    wrong(s.failed, "failed"),
    wrong(s.unknown, "unconfirmed"),
    cell("number", hasRun(s) ? bytes(s.bytes) : NONE, "size"),
    cell("number", hasRun(s) ? took(s.elapsed_ms) : NONE, "took")));
  return table("Strategies of this run", headings, [make("tbody", { role: "rowgroup" }, ...rows)]);
}

/** What went wrong: the strategies that failed, then keys by cause, then warnings. */
function troubles(all) {
  const failed = all.filter((s) => s.error).map((s) => trouble(words(s.id),
    make("p", { class: "bad" }, errorOf(s)), hint(s.hint)));
  const keysOf = causes(all).map((cause) => trouble(`${keys(cause.keys)} ${cause.unconfirmed ? "unconfirmed" : "failed"}: ${words(cause.message)}`,
    hint(cause.hint), make("p", { class: "data", text: `In ${cause.ids.join(", ")}` }), items(cause.examples, cause.keys)));
  const absent = all.filter((s) => list(s.not_found).length > 0).map((s) => trouble(`${words(s.id)}: no row for`, items(s.not_found, s.absent ?? 0)));
  const warned = all.filter((s) => list(s.warnings).length > 0).map((s) => trouble(words(s.id), ...s.warnings.map((text) => make("p", { class: "warn" }, prose(text)))));
  return [...failed, ...keysOf, ...absent, ...warned];
}

/** The causes of all strategies together, the most frequent first. */
function causes(all) {
  const known = new Map();
  for (const strategy of all) {
    // Earlier versions recorded no causes.
    const told = list(strategy.causes).length > 0 ? strategy.causes : list(strategy.errors).map(({ key, error }) => ({ message: error, keys: 1, examples: [key] }));
    for (const cause of told) {
      const name = JSON.stringify([cause.message, cause.unconfirmed]);
      const sum = known.get(name) ?? { ...cause, keys: 0, examples: [], ids: [] };
      sum.keys += cause.keys;
      sum.examples.push(...list(cause.examples));
      if (!sum.ids.includes(words(strategy.id))) sum.ids.push(words(strategy.id));
      known.set(name, sum);
    }
  }
  return [...known.values()].sort((one, other) => other.keys - one.keys);
}

/** It may begin with the name of a table, so it has no capital. */
const hint = (text) => (text ? make("p", { class: "quiet" }, "Hint: ", prose(text)) : null);

const trouble = (title, ...content) => make("div", { class: "trouble" }, make("h3", {}, prose(title)), ...content);

/** The first keys of `total`. */
function items(shown, total) {
  const rest = total - shown.length;
  const lines = shown.map((key) => make("li", {}, make("code", { class: "data", text: words(key) })));
  return make("ul", {}, ...lines, rest > 0 ? make("li", { class: "quiet", text: `and ${count(rest)} more` }) : null);
}

// ---------------------------------------------------------------------------------- live runs

/** The runs with bars, by id. */
const cards = new Map();

function follow(run) {
  const card = new Card(run);
  for (const [ended, other] of cards) if (other.ended) drop(ended);
  cards.set(run.run_id, card);
  byId("running").append(card.root);
  card.listen();
  showRunning();
  return card;
}

function drop(id) {
  cards.get(id)?.close();
  cards.get(id)?.root.remove();
  cards.delete(id);
  showRunning();
}

/** Whether the server answered the last request. */
let answers = true;

function showUnanswered() {
  answers = false;
  runsAreKnown = false;
  showState("bad", "no answer", " from the server; this page tries again by itself");
  showRunning();
}

function showRunning() {
  const all = [...cards.values()];
  const why = answers ? "" : ": the server does not answer";
  const last = answers ? "This is the last known state." : "The server does not answer. This is its last known state.";
  const known = all.length === 0 ? "Nothing is running." : "";
  note("running", runsAreKnown === undefined ? "Loading." : runsAreKnown ? known : all.length === 0 ? `Not known${why}.` : last);
  const running = all.some((card) => !card.ended) ? "running" : all.at(-1)?.outcome;
  document.title = running ? `${running}: shopwarm` : "shopwarm";
}

/** A run: its head, a bar for the whole, and one for each strategy. */
class Card {
  constructor(run) {
    this.id = run.run_id;
    this.ended = false;
    this.bars = new Map();
    this.stop = make("button", { type: "button", text: "Stop" });
    this.stop.dataset.key = `stop ${this.id}`;
    this.stop.addEventListener("click", () => act(this.stop, "Stop", "It was not stopped.", () => this.cancel()));
    this.state = make("span", {}, stateMark("running"));
    this.head = make("h3", { class: "data", id: `run-${this.id}` });
    this.facts = make("p", { class: "quiet" });
    this.done = make("i");
    this.whole = make("div", { class: "bar whole", role: "progressbar", "aria-label": "Whole run", "aria-valuemin": 0, "aria-valuemax": 100, hidden: true }, this.done);
    this.counts = make("p", { class: "counts" });
    this.left = make("p", { class: "left" });
    this.held = make("p", { class: "held quiet data" });
    this.said = make("div");
    this.list = make("ul", { class: "bars", "aria-label": "Strategies of this run" });
    this.root = make("article", { class: "run", "aria-labelledby": `run-${this.id}` },
      make("div", { class: "line" }, make("div", {}, this.head, this.facts), this.state, this.stop),
      this.whole, make("div", { class: "line" }, this.counts, this.left), this.held, this.said, this.list);
    this.root.dataset.run = this.id;
    this.hear(run);
  }

  /** Shows the run's data from the list of runs or from its report. */
  hear(run) {
    const { command, trigger, job, host, started_at: started } = run;
    const ended = this.ended ? run.elapsed_ms : undefined;
    const written = JSON.stringify([command, trigger, job, host, started, ended]);
    if (this.written !== written) {
      this.written = written;
      this.head.textContent = inert(words(command));
      const since = ago(started, (then) => distance(Math.max(0, now() - then)));
      this.facts.replaceChildren(
        ...(trigger ? ["started by ", data(origin(run)), " on ", data(host), ", "] : []),
        ...(ended === undefined ? ["for ", since] : ["took ", took(ended)]),
        ", run ", make("code", { class: "data", text: this.id }));
    }
    if (this.bars.size === 0 && isNumber(run.total)) this.showCounts(run);
  }

  showCounts(counts) {
    const { total = 0, warmed = 0, skipped = 0, failed = 0, unknown = 0, strategies, done, broken } = counts;
    const looked = planned(counts);
    const whole = counts.expected > total ? ofWhole(total, counts) : keys(total);
    const all = looked === 0 && warmed === total;
    const said = [
      isNumber(done) ? `${count(done)} of ${manyStrategies(strategies)}` : "",
      all ? `${whole} warmed` : whole,
      all ? "" : looked > 0 ? `${count(looked)} would be written` : `${count(warmed)} warmed`,
      skipped > 0 ? `${count(skipped)} skipped` : "",
    ];
    const wrong = [broken > 0 ? `${manyStrategies(broken)} failed` : "", failed > 0 ? `${keys(failed)} failed` : "", unknown > 0 ? `${keys(unknown)} unconfirmed` : ""].filter(Boolean).join(", ");
    this.counts.replaceChildren(said.filter(Boolean).join(", "), wrong ? ", " : "", make("span", { class: "bad", text: wrong }));
  }

  /** Reads the run's events from the first; resumes where the stream broke. */
  async listen() {
    const streams = [...cards.values()].filter((card) => card.reading).length;
    if (this.reading || this.ended || this.elsewhere || document.hidden || streams >= STREAMS) return;
    this.reading = new AbortController();
    const { signal } = this.reading;
    for (let failures = 0; !this.ended && !this.elsewhere && !signal.aborted && failures < 6; failures += 1) {
      try {
        const response = await request(`admin/runs/${part(this.id)}/events`, { signal, headers: { Accept: "text/event-stream" } });
        for await (const event of events(response.body)) {
          failures = 0;
          this.take(event);
        }
      } catch (error) {
        if (signal.aborted) break;
        if (error instanceof Refusal && error.status >= 400 && error.status < 500) {
          this.lost();
          break;
        }
      }
      if (!this.ended && !this.elsewhere) await pause(Math.min(1000 * 2 ** failures, 10_000));
    }
    if (this.reading?.signal === signal) this.reading = undefined;
  }

  close() {
    this.reading?.abort();
    this.reading = undefined;
  }

  take(event) {
    if (this.ended) return;
    switch (event.event) {
      case "waiting":
        this.counts.replaceChildren("Waiting for another run. ", ...told(event.holder ?? {}));
        break;
      case "run_started":
        for (const id of list(event.strategies)) this.bar(id);
        break;
      case "sized":
        for (const size of list(event.strategies)) this.bar(size.id).expect(size);
        break;
      case "strategy_started":
        this.bar(event.id).begin(event);
        break;
      case "progress":
        this.bar(event.id).progress(event);
        this.hold(event.limited_by ? `Limited by ${event.limited_by}.` : "");
        break;
      case "stalled":
        this.hold(`Waiting for the ${words(event.on)}, ${count(event.seconds)}s.`, true);
        break;
      case "strategy_repeated":
        this.hold(`${words(event.id)} starts again: ${words(event.reason)}.`);
        break;
      case "strategy_finished":
        if (event.report) this.bar(event.report.id).finish(event.report);
        this.hold("");
        break;
      case "stopping":
        this.showStopping();
        break;
      case "run_finished":
        // A run on another server sends only its end; until then, the list of runs shows it.
        if (event.outcome) this.finish(event.outcome);
        else this.elsewhere = true;
        return;
    }
    if (this.bars.size > 0) this.sum();
  }

  bar(id) {
    if (!this.bars.has(id)) {
      const bar = new Bar(id);
      this.bars.set(id, bar);
      this.list.append(bar.root);
    }
    return this.bars.get(id);
  }

  /** Says what holds the run back; while it waits, nobody knows how long. */
  hold(text, waits = false) {
    this.waits = waits;
    this.held.textContent = inert(text);
  }

  sum() {
    const sums = { total: 0, warmed: 0, skipped: 0, failed: 0, unknown: 0, strategies: this.bars.size, done: 0, broken: 0, expected: 0, expected_is_exact: true };
    let ms = 0;
    let open = 0;
    let share = 0;
    for (const bar of this.bars.values()) {
      const { counts, ended } = bar;
      for (const name of ["total", "warmed", "skipped", "failed", "unknown"]) sums[name] += counts[name] ?? 0;
      sums.done += ended && counts.status === "completed" ? 1 : 0;
      sums.broken += counts.status === "failed" ? 1 : 0;
      // If one part is unknown, so is the total.
      const [size, exact] = bar.size();
      sums.expected += size;
      sums.expected_is_exact &&= exact;
      ms += bar.elapsed();
      open += ended ? 0 : size - (counts.total ?? 0);
      share += bar.share();
    }
    this.showCounts(sums);
    this.showWhole(sums.expected > 0 ? sums.total / sums.expected : share / sums.strategies);
    const left = sums.total > 0 && ms > 2000 && !this.waits && !this.ended ? (open * ms) / sums.total : 0;
    this.left.textContent = left >= 1000 ? `about ${distance(left)} left` : "";
  }

  /** For one strategy its own bar says it all. */
  showWhole(share) {
    const percent = Math.floor(100 * Math.min(share, 1));
    this.whole.hidden = this.bars.size < 2;
    this.done.style.width = `${percent}%`;
    this.whole.setAttribute("aria-valuenow", percent);
    this.whole.setAttribute("aria-valuetext", `${percent}%, ${this.counts.textContent}`);
  }

  showStopping() {
    if (this.ended) return;
    this.state.replaceChildren(stateMark("stopping"));
  }

  async cancel() {
    await request(`admin/runs/${part(this.id)}`, { method: "DELETE" });
    this.showStopping();
    say("Stopping: the batches in flight are finished first.");
  }

  /** Shows the end of the run, as its report says. */
  async finish(outcome) {
    if (this.ended) return;
    this.ended = true;
    this.close();
    // The record of a run is written after its end, so wait for it.
    let report;
    for (let attempt = 0; attempt < 10 && !report?.outcome; attempt++) {
      if (attempt > 0) await pause(200);
      report = await askReport(this.id).catch(() => undefined);
    }
    const run = report?.outcome ? report : { outcome };
    for (const strategy of list(run.strategies)) this.bar(strategy.id).finish(strategy);
    for (const bar of this.bars.values()) if (!bar.ended) bar.finish({ ...bar.counts, status: "cancelled" });
    if (report) this.hear(report);
    this.hold("");
    this.sum();
    this.whole.classList.add(tone(run) || "unknown");
    this.state.replaceChildren(runMark(run));
    this.root.dataset.outcome = words(run.outcome);
    this.outcome = `${run.mark ?? ""} ${ending(run)}`.trim();
    if (run.verdict) this.said.replaceChildren(verdict(run));
    const open = make("button", { type: "button", text: "Report", on: { click: () => { location.hash = `run/${part(this.id)}`; } } });
    const close = make("button", { type: "button", text: "Close", "aria-label": "Close this run", on: { click: () => drop(this.id) } });
    const hadFocus = document.activeElement === this.stop;
    this.stop.replaceWith(open, close);
    if (hadFocus) open.focus({ preventScroll: true });
    say(`Run ${this.head.textContent} has ended: ${run.verdict ?? ending(run)}.`);
    showRunning();
    await Promise.all([loadRuns(), loadStrategies()]);
  }

  /** Handles a run that is missing from the active ones in the list of runs. */
  async lost() {
    if (this.asked) return;
    this.asked = true;
    const { status, report } = await ask(`admin/runs/${part(this.id)}`).catch((error) => ({ status: error.status === 404 ? "gone" : "" }));
    this.asked = false;
    if (status === "finished") this.finish(report?.outcome);
    if (status === "gone" && !this.reading) drop(this.id);
  }
}

/** A strategy of an active run. */
class Bar {
  constructor(id) {
    this.id = id;
    this.counts = {};
    this.begun = false;
    this.ended = false;
    this.done = make("i");
    this.lost = make("i", { class: "lost", hidden: true });
    this.track = make("div", { class: "bar", role: "progressbar", "aria-label": words(id), "aria-valuemin": 0, "aria-valuetext": "waiting" }, this.done, this.lost);
    this.keys = make("span", { class: "number keys" });
    this.pace = make("span", { class: "number quiet pace" });
    this.state = make("span", { class: "state" }, stateMark("waiting"));
    this.why = make("span", { class: "why data" });
    this.root = make("li", {}, data(id), this.track, this.keys, this.pace, this.state, this.why);
    this.root.dataset.strategy = words(id);
  }

  begin(size) {
    if (this.ended) return;
    this.begun = true;
    this.expect(size);
    this.state.replaceChildren(stateMark("running"));
    this.show();
  }

  /** Sets the number of keys, if known. */
  expect({ expected, expected_is_exact: exact }) {
    this.expected = isNumber(expected) ? expected : undefined;
    this.expected_is_exact = exact === true;
  }

  progress(counts) {
    if (this.ended) return;
    this.counts = counts;
    this.show();
  }

  /** How many keys it has, and whether that is certain; before it begins, as many as the last time. */
  size() {
    const { total = 0, status } = this.counts;
    if (this.ended && status === "completed") return [total, true];
    if (this.expected !== undefined) return [Math.max(this.expected, total), this.expected_is_exact];
    const last = this.begun || this.ended ? undefined : strategies.find(({ id }) => id === this.id)?.last_complete;
    return [isNumber(last?.keys) ? last.keys : NaN, false];
  }

  /** How long it has worked, in milliseconds. */
  elapsed() {
    const { total = 0, elapsed_ms: ms, keys_per_second: rate } = this.counts;
    return ms ?? (rate > 0 ? (1000 * total) / rate : 0);
  }

  /** How much of it is done, from 0 to 1, as far as known. */
  share() {
    if (this.ended && this.counts.status === "completed") return 1;
    return this.expected > 0 ? Math.min((this.counts.total ?? 0) / this.expected, 1) : 0;
  }

  finish(report) {
    if (["waiting", "running"].includes(report.status)) return;
    this.counts = report;
    this.expect(report);
    this.ended = true;
    this.state.replaceChildren(strategyMark(report));
    this.track.className = `bar ${report.status === "completed" && lost(report) > 0 ? "incomplete" : report.status}`;
    this.why.replaceChildren(...(report.error ? [errorOf(report)] : []));
    this.show();
  }

  show() {
    const { total = 0, failed = 0, unknown = 0, elapsed_ms: ms } = this.counts;
    const complete = this.ended && this.counts.status === "completed";
    // An estimate that was reached is not the total.
    const known = complete || (this.expected !== undefined && (this.expected > total || (this.expected_is_exact && this.expected === total)));
    const whole = complete ? total : known ? this.expected : 0;
    const measured = this.ended || known;
    const share = (n) => (whole > 0 ? `${(100 * n) / whole}%` : "0");
    const wrong = failed + unknown;
    this.track.classList.toggle("unmeasured", !measured);
    this.done.style.width = measured ? (complete && whole === 0 ? "100%" : share(total - wrong)) : "";
    this.lost.style.width = share(wrong);
    this.lost.hidden = !measured || wrong === 0;
    const begun = total > 0 || !this.ended || complete;
    this.keys.textContent = !begun ? "" : known && !complete ? overWhole(total, this) : keys(total);
    const pace = this.ended ? (ms > 0 ? (total * 1000) / ms : undefined) : this.counts.keys_per_second;
    this.pace.textContent = isNumber(pace) && total > 0 ? `${count(pace)} keys/s` : "";
    if (!this.ended || this.counts.failed > 0 || this.counts.unknown > 0) this.tellWrong(failed, unknown);
    if (measured) {
      this.track.setAttribute("aria-valuemax", Math.max(whole, 1));
      this.track.setAttribute("aria-valuenow", complete && whole === 0 ? 1 : Math.min(total, whole));
    }
    this.track.setAttribute("aria-valuetext", `${this.state.textContent}, ${this.keys.textContent}`);
  }

  tellWrong(failed, unknown) {
    if (this.counts.error) return;
    const [cause] = causes([this.counts]);
    const parts = [failed > 0 ? `${count(failed)} failed` : "", unknown > 0 ? `${count(unknown)} unconfirmed` : ""].filter(Boolean);
    const said = parts.join(", ") + (cause && parts.length > 0 ? `: ${cause.message}` : "");
    this.why.replaceChildren(...(said ? [prose(said)] : []));
  }
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Reads server-sent events. The browser's EventSource cannot send the token. */
async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let lines = [];
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const pieces = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = pieces.pop();
    for (const line of pieces) {
      if (line !== "") {
        lines.push(line);
        continue;
      }
      const event = parsed(lines);
      lines = [];
      if (event) yield event;
    }
  }
}

function parsed(lines) {
  const fields = (name) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ""));
  const text = fields("data").join("\n");
  if (!text) return undefined;
  try {
    return { event: fields("event").at(-1), ...JSON.parse(text) };
  } catch {
    return undefined;
  }
}

// ---------------------------------------------------------------------------------- the token

function lock() {
  if (locked) return;
  locked = true;
  runsAreKnown = undefined;
  for (const card of cards.values()) card.close();
  for (const id of [...cards.keys()]) drop(id);
  for (const section of ["strategies", "schedule", "past"]) {
    wipe(section);
    note(section, "Loading.");
  }
  document.body.classList.add("locked");
  main.classList.add("loading");
  byId("warm-all").disabled = true;
  byId("token-error").textContent = token ? "This token is no longer accepted." : "";
  setToken("");
  showRunning();
  byId("token").hidden = false;
  byId("token-field").focus();
}

function setToken(value) {
  token = value;
  if (value) sessionStorage.setItem(TOKEN, value);
  else sessionStorage.removeItem(TOKEN);
  byId("forget").hidden = !value;
}

async function unlock(event) {
  event.preventDefault();
  const field = byId("token-field");
  const [submit] = byId("token").querySelectorAll("button");
  const tried = field.value.trim();
  byId("token-error").textContent = "";
  if (!tried) return;
  submit.disabled = true;
  try {
    await request("admin/strategies", { headers: { Authorization: `Bearer ${tried}` } });
    locked = false;
    field.value = "";
    setToken(tried);
    byId("token").hidden = true;
    document.body.classList.remove("locked");
    say("The token is accepted.");
    await loadAll();
    byId("warm-all").focus();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const wrong = error.status === 401 ? ["This token is not accepted."] : explain(error);
    byId("token-error").replaceChildren(...wrong);
    field.select();
  } finally {
    submit.disabled = false;
  }
}

// ---------------------------------------------------------------------------------- the head

/** Shows the state of the server: its first words have the mark. */
function showState(tone, ...text) {
  const state = byId("state");
  const written = text.map((piece) => piece.textContent ?? piece).join("");
  if (state.textContent !== written) state.replaceChildren(mark(text[0], tone), ...text.slice(1));
}

/** Whether the server is there and ready. */
async function loadState() {
  try {
    const response = await fetch("readyz", { cache: "no-store", credentials: "omit" });
    answers = true;
    setClock(response.headers.get("Date"));
    const said = (await response.text()).trim();
    if (response.ok) showState("good", "ready");
    else showState("warn", "not ready", ...(said ? [": ", data(reason(said))] : []));
    return true;
  } catch {
    showUnanswered();
    return false;
  }
}

/** Why it is not ready, from JSON or plain text. */
function reason(said) {
  try {
    const problem = JSON.parse(said);
    return words(problem.detail ?? problem.title ?? said);
  } catch {
    return said.replace(/^not ready:?\s*/i, "") || said;
  }
}

async function loadVersion() {
  const described = await fetch("openapi.json", { credentials: "omit" }).then((response) => response.json()).catch(() => undefined);
  const version = described?.info?.version;
  byId("version").textContent = version ? `version ${version}` : "";
}

// ---------------------------------------------------------------------------------- everything

const loadStrategies = () => load("strategies", "admin/strategies", showStrategies);
const loadSchedule = () => load("schedule", "admin/schedule", showSchedule);

/** Sends one request first, so that a wrong token counts once and not three times. */
async function loadAll() {
  await loadStrategies();
  if (!locked) await Promise.race([Promise.all([loadSchedule(), loadRuns()]), pause(PATIENCE)]);
  // All at once, so that nothing moves; but a cache that does not answer hides nothing for long.
  main.classList.remove("loading");
  showRunning();
}

/** Repeats something while the page is visible. */
function every(ms, doing) {
  let timer;
  let busy = false;
  const round = async () => {
    clearTimeout(timer);
    if (busy || document.hidden) return;
    busy = true;
    await doing().finally(() => {
      busy = false;
    });
    timer = setTimeout(round, ms);
  };
  document.addEventListener("visibilitychange", round);
  timer = setTimeout(round, ms);
}

function route() {
  const id = /^#run\/(.+)$/.exec(location.hash)?.[1];
  if (id && !locked) showReport(decodeURIComponent(id));
  else if (byId("report").open) byId("report").close();
}

/** The run that the dialog asks about. */
let asked;

const keyed = (key) => [...document.querySelectorAll("[data-key]")].find((element) => element.dataset.key === key);

/** Asks how to run: as the configuration and the job say, if nothing is changed. */
function confirmRun({ what, key, address, about, own = {} }) {
  if (keyed(key)?.ariaDisabled === "true") return;
  const usual = { mode: own.mode ?? settings.mode ?? "refresh", gentle: own.gentle ?? settings.gentle ?? false };
  asked = { what, key, address, usual };
  const form = byId("confirm-form");
  byId("confirm-title").textContent = inert(what);
  byId("confirm-what").textContent = inert(about);
  form.reset();
  form.elements.mode.value = usual.mode;
  form.elements.gentle.checked = usual.gentle;
  byId("confirm").showModal();
}

function confirmAll() {
  const enabled = strategies.filter(isEnabled);
  const contexts = new Set(enabled.map((strategy) => strategy.context)).size;
  const about = `${manyStrategies(enabled.length)} in ${plural(contexts, "context", "contexts")}, by priority.`;
  confirmRun({ what: "Warm the whole shop", key: "all", address: "admin/warmup/all?wait=false", about });
}

function startAsked(event) {
  event.preventDefault();
  const { what, key, address, usual } = asked;
  const chosen = new FormData(byId("confirm-form"));
  const body = {};
  if (chosen.get("mode") !== usual.mode) body.mode = chosen.get("mode");
  if (chosen.has("gentle") !== usual.gentle) body.gentle = chosen.has("gentle");
  if (chosen.has("dry_run")) body.dry_run = true;
  byId("confirm").close();
  const said = body.dry_run ? `${what} (dry run)` : what;
  act(keyed(key), said, "Nothing was started.", () => start(said, address, body));
}

byId("warm-all").addEventListener("click", confirmAll);
byId("confirm-form").addEventListener("submit", startAsked);
// The button may have been drawn again meanwhile.
byId("confirm").addEventListener("close", () => keyed(asked.key)?.focus({ preventScroll: true }));
byId("token").addEventListener("submit", unlock);
byId("forget").addEventListener("click", () => {
  setToken("");
  loadAll();
});
for (const dialog of document.querySelectorAll("dialog")) {
  dialog.querySelector("button[value=cancel]").addEventListener("click", () => dialog.close());
  // A click outside closes it.
  dialog.addEventListener("click", (event) => {
    if (event.target !== dialog) return;
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    if (event.clientX < left || event.clientX > right || event.clientY < top || event.clientY > bottom) dialog.close();
  });
}
byId("report").addEventListener("close", () => {
  if (location.hash) history.replaceState(null, "", location.pathname + location.search);
});
window.addEventListener("hashchange", route);
document.addEventListener("visibilitychange", () => {
  // A hidden tab holds no connection; it catches up when it becomes visible.
  for (const card of cards.values()) document.hidden ? card.close() : card.listen();
});

setInterval(() => {
  if (!document.hidden) for (const time of document.querySelectorAll("time")) time.tell?.();
}, 1000);
every(RUNS_EVERY, async () => {
  const there = await loadState();
  if (locked || !there) return;
  await loadRuns();
  for (const card of cards.values()) card.listen();
});
every(REST_EVERY, async () => {
  if (!locked) await Promise.all([loadStrategies(), loadSchedule()]);
});

setToken(token);
loadState();
loadVersion();
loadAll().then(route);
