// Events as they come. Pausing keeps the place, so that nothing is missed when one continues.

const part = document.getElementById("live");
const rows = document.getElementById("live-rows");
const pause = document.getElementById("live-pause");
const wanted = document.getElementById("live-filter");
const withObservations = document.getElementById("live-observations");
const state = document.getElementById("live-state");

/** How many rows are kept. */
const MAX_ROWS = 500;
/** How often observations are asked for. */
const OBSERVATIONS_MS = 2_000;

let source = null;
let last = "";
let observed = "latest";
let isPaused = false;

/** Makes characters visible that are not, as the server does it. */
function visible(text) {
  return String(text).replace(/[\p{C}\p{Zl}\p{Zp}\u{ad}\u{34f}\u{115f}\u{1160}\u{2800}\u{3164}\u{ffa0}]|(?! )\p{Zs}|\p{Variation_Selector}/gu,
    (c) => `\\u{${c.codePointAt(0).toString(16)}}`);
}

function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

function link(href, text) {
  const made = element("a", element("bdi", visible(text)));
  made.href = href;
  return made;
}

const folders = { token_subject: "subjects", client: "clients" };

function detail(name, value) {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const shown = folders[name]
    ? link(`/console/${folders[name]}/${encodeURIComponent(text)}`, text)
    : element("bdi", visible(text));
  const made = element("span", `${visible(name)}: `, shown, " ");
  made.className = "detail";
  return made;
}

function row(event) {
  const time = element("time", event.time.slice(11, 23).replace("Z", ""));
  time.dateTime = event.time;
  time.title = event.time;
  const token = event.subject ? link(`/console/tokens/${encodeURIComponent(event.subject)}`, event.subject) : "–";
  if (event.subject) token.className = "id";
  const details = Object.entries(event.data).filter(([, value]) => value !== null && value !== 0)
    .map(([name, value]) => detail(name, value));
  return element("tr",
    element("td", time),
    element("td", element("bdi", visible(event.type.replace(/^keyfob\./, "")))),
    element("td", token),
    element("td", ...details));
}

function isWanted(made) {
  return made.textContent.toLowerCase().includes(wanted.value.trim().toLowerCase());
}

function add(event) {
  const made = row(event);
  made.hidden = !isWanted(made);
  rows.prepend(made);
  document.getElementById("live-empty").hidden = true;
  while (rows.children.length > MAX_ROWS) rows.lastElementChild.remove();
}

/** Takes one message of a stream: lines of the form `name: value`. */
function take(message) {
  const fields = {};
  for (const line of message.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 1).trimStart();
  }
  if (fields.event === "trimmed") {
    state.textContent = "Events were deleted before they were read: there is a gap.";
  } else if (fields.id) {
    last = fields.id;
    add(JSON.parse(fields.data));
  }
}

/** Reads the stream until it ends. `EventSource` would have to know the name of each event beforehand. */
async function read(signal) {
  const query = new URLSearchParams({ type: part.dataset.live, after: last });
  const answer = await fetch(`/console/live/stream?${query}`, { signal });
  if (!answer.ok) return answer.status;
  state.textContent = "Watching";
  let text = "";
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return answer.status;
    const messages = (text + value).split("\n\n");
    text = messages.pop();
    messages.forEach(take);
  }
}

/** Follows the stream, and connects again where it breaks. */
async function connect() {
  const { signal } = source = new AbortController();
  while (!signal.aborted) {
    const status = await read(signal).catch(() => 0);
    if (signal.aborted) return;
    if (status === 401 || status === 403) {
      pause.click();
      state.textContent = "The session has ended. Sign in again in another tab, and continue here.";
      return;
    }
    state.textContent = "Connecting again…";
    await new Promise((resolve) => setTimeout(resolve, 1_000));
  }
}

async function observe() {
  if (isPaused || !withObservations.checked || part.dataset.live) return;
  const query = new URLSearchParams({ after: observed, limit: "100" });
  const answer = await fetch(`/console/live/observations?${query}`);
  if (!answer.ok) return;
  const page = await answer.json();
  observed = page.cursor;
  page.events.forEach(add);
}

pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? "Continue" : "Pause";
  pause.setAttribute("aria-pressed", String(isPaused));
  if (isPaused) {
    source.abort();
    state.textContent = "Paused. What happens meanwhile is shown when you continue.";
  } else {
    connect();
  }
});

wanted.addEventListener("input", () => {
  for (const made of rows.children) made.hidden = !isWanted(made);
});

connect();
setInterval(() => observe().catch(() => {}), OBSERVATIONS_MS);
observe().catch(() => {});
