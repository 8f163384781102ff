// Completes the keys of a filter, and the values that keyfob itself defines.

const keys = {
  "kind:": "access, refresh, api-key or session",
  "state:": "active, revoked, expired, pending, exhausted",
  "subject:": "the user or service that a token speaks for",
  "client:": "who the token was issued to",
  "device:": "the id of a device",
  "app:": "the application",
  "label:": "key=value",
  "tag:": "a tag",
  "any-tag:": "one of several tags",
  "scope:": "a scope",
  "any-scope:": "one of several scopes",
  "audience:": "a service that the token is meant for",
  "issuer:": "the issuer",
  "family:": "the id at the root of a family",
  "id:": "an id, or its start",
  "issued-after:": "a time: -1h, 2026-11-24, now",
  "issued-before:": "a time",
  "expires-after:": "a time",
  "expires-before:": "a time: +7d",
};
const times = ["-15m", "-1h", "-24h", "-7d", "now", "+1h", "+7d"];
const values = {
  "kind:": ["access", "refresh", "api-key", "session"],
  "state:": ["active", "revoked", "expired", "pending", "exhausted"],
  "issued-after:": times,
  "issued-before:": times,
  "expires-after:": times,
  "expires-before:": times,
};

const input = document.querySelector("[data-complete]");
const list = document.createElement("ul");
list.className = "completions";
list.id = "completions";
list.role = "listbox";
list.hidden = true;
list.setAttribute("aria-label", "Completions");
input.after(list);
input.role = "combobox";
input.setAttribute("aria-controls", list.id);
input.setAttribute("aria-expanded", "false");
input.setAttribute("aria-autocomplete", "list");

let selected = -1;

/** The word before the cursor, and where it begins. */
function word() {
  const before = input.value.slice(0, input.selectionStart);
  const quotes = (before.match(/"/g) ?? []).length;
  const start = quotes % 2 ? before.length : before.lastIndexOf(" ") + 1;
  return { start, text: before.slice(start) };
}

function offers(text) {
  const colon = text.indexOf(":") + 1;
  if (colon) {
    const [key, begun] = [text.slice(0, colon), text.slice(colon)];
    return (values[key] ?? []).filter((value) => value.startsWith(begun) && value !== begun)
      .map((value) => ({ insert: `${key}${value} `, name: value, about: "" }));
  }
  return Object.entries(keys).filter(([key]) => text && key.startsWith(text))
    .map(([key, about]) => ({ insert: key, name: key, about }));
}

function show() {
  const { text } = word();
  const found = offers(text);
  list.replaceChildren(...found.map(({ insert, name, about }, n) => {
    const item = document.createElement("li");
    item.role = "option";
    item.id = `completion-${n}`;
    item.dataset.insert = insert;
    item.append(name);
    if (about) {
      const quiet = document.createElement("span");
      quiet.className = "quiet";
      quiet.textContent = ` ${about}`;
      item.append(quiet);
    }
    return item;
  }));
  select(-1);
  open(found.length > 0);
}

function open(isOpen) {
  list.hidden = !isOpen;
  input.setAttribute("aria-expanded", String(isOpen));
}

function select(n) {
  selected = n;
  for (const [at, item] of [...list.children].entries()) {
    item.setAttribute("aria-selected", String(at === n));
    if (at === n) item.scrollIntoView({ block: "nearest" });
  }
  if (n < 0) input.removeAttribute("aria-activedescendant");
  else input.setAttribute("aria-activedescendant", `completion-${n}`);
}

function insert(item) {
  const { start } = word();
  const rest = input.value.slice(input.selectionStart);
  const before = input.value.slice(0, start) + item.dataset.insert;
  input.value = before + rest;
  input.setSelectionRange(before.length, before.length);
  input.focus();
  show();
}

input.addEventListener("input", show);
input.addEventListener("blur", () => open(false));
list.addEventListener("pointerdown", (event) => {
  const item = event.target.closest("li");
  event.preventDefault();
  if (item) insert(item);
});
input.addEventListener("keydown", (event) => {
  if (list.hidden) return;
  const count = list.children.length;
  if (event.key === "ArrowDown") select((selected + 1) % count);
  else if (event.key === "ArrowUp") select(selected <= 0 ? count - 1 : selected - 1);
  else if ((event.key === "Enter" || event.key === "Tab") && selected >= 0) insert(list.children[selected]);
  else if (event.key === "Escape") {
    open(false);
    event.stopPropagation();
  } else return;
  event.preventDefault();
});

// Somebody may have begun to type before this was loaded.
if (document.activeElement === input && input.value) show();
