// Runs that take long: a form whose answer is progress, line by line. See src/progress.rs.
//
// Pause ends the request, and the server stops. Resume sends the form again, with where the last line
// was. A run that is not over is kept here, in this browser: what was typed, where it is, and numbers.

import { say } from "./console.js";

const PREFIX = "keyfob.run.";
/** How often the place of a run is kept, in milliseconds. */
const KEEP_MS = 250;
/** The members of a line that say where to resume. They become fields of the form. */
const PLACE = ["filter", "resume"];

const number = (value) => Number(value ?? 0).toLocaleString("en");

function length(ms) {
  const seconds = Math.round(ms / 1_000);
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}

/** The browser may refuse to keep anything. Then a run cannot be resumed after the page was closed. */
const kept = {
  all() {
    try {
      return Object.keys(localStorage).filter((key) => key.startsWith(PREFIX)).map((key) => this.read(key))
        .filter(Boolean);
    } catch {
      return [];
    }
  },
  read(key) {
    try {
      const run = JSON.parse(localStorage.getItem(key));
      return run && typeof run.page === "string" && run.page.startsWith("/console/") && run.fields ? run : null;
    } catch {
      return null;
    }
  },
  write(run) {
    try {
      localStorage.setItem(run.key, JSON.stringify(run));
    } catch {
      // It runs all the same.
    }
  },
  forget(key) {
    try {
      localStorage.removeItem(key);
    } catch {
      // There is none.
    }
  },
};

function numbers(run) {
  const of = run.total ? ` of ${number(run.total)}` : "";
  const unread = run.unreadable ? ` · ${number(run.unreadable)} could not be read` : "";
  return `${number(run.done)}${of} ${run.counter} · ${number(run.examined)} read${unread} · ${length(run.ms)}`;
}

/** Returns the name of the lock that the tab of a run holds. Browsers have locks over HTTPS and on this machine. */
const lockOf = (key) => `keyfob.running.${key}`;

/** Works while it holds the lock of a run. If another tab holds it, calls `onBusy` instead. */
function locked(key, work, onBusy) {
  if (!navigator.locks) return work();
  return navigator.locks.request(lockOf(key), { ifAvailable: true }, (lock) => (lock ? work() : onBusy()));
}

/** Returns the locks that tabs hold. */
async function heldLocks() {
  const locks = await navigator.locks?.query().catch(() => null);
  return new Set((locks?.held ?? []).map(({ name }) => name));
}

/** Drives one form. */
function drive(form) {
  const kind = form.dataset.run;
  const view = document.querySelector(`[data-run-view="${CSS.escape(kind)}"]`);
  const [bar, shown, message, pause, resume, forget, paused] = ["progress", "[data-run-numbers]", "[data-run-message]",
    "[data-run-pause]", "[data-run-resume]", "[data-run-forget]", "[data-run-paused]"]
    .map((selector) => view.querySelector(selector));
  const key = `${PREFIX}${kind}.${form.dataset.runTitle ?? ""}`;
  let run = kept.read(key);
  let request = null;

  function show() {
    view.hidden = false;
    form.hidden = true;
    if (request) for (const before of document.querySelectorAll("[data-run-before]")) before.hidden = true;
    for (const headline of document.querySelectorAll("[data-run-headline]")) headline.hidden = true;
    for (const during of document.querySelectorAll("[data-run-during]")) during.hidden = false;
    shown.textContent = numbers(run);
    if (run.total) {
      bar.max = run.total;
      bar.value = Math.min(run.done, run.total);
    } else if (!request) {
      bar.value = 0;
    } else {
      bar.removeAttribute("value");
    }
    pause.hidden = !request;
    resume.hidden = forget.hidden = paused.hidden = Boolean(request);
  }

  function stop(text) {
    request = null;
    kept.write(run);
    message.hidden = !text;
    message.textContent = text ?? "";
    message.classList.add("wrong");
    show();
    resume.focus();
  }

  function take(line, before, began) {
    run.done = before.done + Number(line[run.counter] ?? 0);
    run.examined = before.examined + Number(line.examined ?? 0);
    run.unreadable = before.unreadable + Number(line.unreadable ?? 0);
    run.ms = before.ms + (Date.now() - began);
    run.at = Date.now();
    for (const name of PLACE) {
      if (line[name] === null) delete run.fields[name];
      else if (line[name] !== undefined) run.fields[name] = line[name];
    }
  }

  /** Reads the lines of one answer. Returns the last one. */
  async function read(response, onLine) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let [rest, last] = ["", null];
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return last;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines.filter(Boolean)) {
        last = JSON.parse(line);
        onLine(last);
      }
    }
  }

  async function start() {
    const before = { ...run };
    const [began, abort] = [Date.now(), new AbortController()];
    let keptAt = 0;
    request = abort;
    message.hidden = true;
    kept.write(run);
    show();
    pause.focus();
    let last;
    try {
      const response = await fetch(form.action, {
        method: "POST",
        headers: { accept: "application/x-ndjson" },
        body: new URLSearchParams(run.fields),
        signal: abort.signal,
      });
      if (response.status === 401) {
        stop("Your session has ended. Sign in again, and open this page again: the run can be resumed there.");
        return;
      }
      if (!response.headers.get("content-type")?.startsWith("application/x-ndjson")) {
        stop(`The server did not start the run (${response.status}).`);
        return;
      }
      last = await read(response, (line) => {
        take(line, before, began);
        if (Date.now() - keptAt < KEEP_MS) return;
        keptAt = Date.now();
        kept.write(run);
        show();
      });
    } catch {
      stop(abort.signal.aborted ? null : "The connection broke. Nothing is lost: resume when the server is back.");
      say(abort.signal.aborted ? `Paused. ${numbers(run)}` : "");
      return;
    }
    if (last?.state === "done") {
      kept.forget(key);
      request = null;
      show();
      say(`Done. ${numbers(run)}`);
      location.assign(form.dataset.runThen);
    } else if (last?.state === "failed") {
      stop(`${last.error?.title ?? "The run failed"}: ${last.error?.detail ?? ""}`);
    } else {
      stop("The answer broke off. Nothing is lost: resume it.");
    }
  }

  function busy() {
    show();
    message.hidden = false;
    message.textContent = "This run goes on in another tab.";
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (request) return;
    run = {
      key,
      kind,
      title: form.dataset.runTitle ?? "",
      counter: form.dataset.runCounter,
      page: location.pathname + location.search,
      total: Number(form.dataset.runTotal ?? 0),
      fields: Object.fromEntries(new FormData(form)),
      done: 0, examined: 0, unreadable: 0, ms: 0, at: Date.now(),
    };
    say("The run has begun.");
    locked(key, start, busy);
  });
  pause.addEventListener("click", () => request?.abort());
  resume.addEventListener("click", () => { if (!request) locked(key, start, busy); });
  forget.addEventListener("click", () => {
    kept.forget(key);
    location.reload();
  });
  if (run) {
    show();
    message.hidden = false;
    message.classList.remove("wrong");
    message.textContent = "This run was begun before, and is not over. Resume it, or cancel it.";
  }
}

const names = { revoke: "revocation", reseal: "resealing" };

/** Says what a run is, and where it is. */
function sentence(run, isRunning) {
  const title = document.createElement("code");
  title.textContent = run.title || run.kind;
  const of = run.total ? ` of ${number(run.total)}` : "";
  const state = isRunning ? "runs in another tab, and is at" : "stopped at";
  const made = document.createElement("p");
  made.append(`A ${names[run.kind] ?? "run"} of `, title, ` ${state} ${number(run.done)}${of}. `);
  return made;
}

/** Shows the runs that are not over, but for the one of this page. */
async function list(section) {
  const here = location.pathname + location.search;
  const running = await heldLocks();
  const runs = kept.all().filter((run) => run.page !== here);
  section.replaceChildren(...runs.map((run) => {
    const isRunning = running.has(lockOf(run.key));
    const item = sentence(run, isRunning);
    if (isRunning) return item;
    const link = document.createElement("a");
    link.href = run.page;
    link.className = "button small";
    link.textContent = "Resume…";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = "Cancel";
    button.title = "Forgets where the run stopped. What is done stays done.";
    button.setAttribute("aria-label", `Cancel the run ${run.title}`);
    button.addEventListener("click", () => {
      kept.forget(run.key);
      item.remove();
      section.hidden = !section.children.length;
      say("Cancelled. What is done stays done.");
    });
    item.append(link, " ", button);
    return item;
  }));
  section.hidden = !runs.length;
}

document.querySelectorAll("form[data-run]").forEach(drive);
document.querySelectorAll("[data-run-over]").forEach(({ dataset }) => {
  kept.forget(`${PREFIX}${dataset.runOver}.${dataset.runTitle ?? ""}`);
});
for (const section of document.querySelectorAll("[data-unfinished]")) {
  list(section);
  // Another tab begins a run, is further, or is done.
  addEventListener("storage", () => list(section));
}
