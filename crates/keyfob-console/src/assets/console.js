// What works on every page: keys, copying, and times that move on. Without it, every page can be read.

const sections = () => document.querySelectorAll("nav [data-go]");
const status = document.getElementById("status");

/** Tells people who do not see the page what has happened. */
export function say(text) {
  status.textContent = text;
}

function isTyping(target) {
  return target instanceof HTMLElement
    && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName));
}

/** Moves to a field, and selects what is in it: to type replaces it. */
function focusOn(field) {
  field?.focus();
  field?.select();
}

// The key for the filter was pressed on a page that has none.
if (location.hash === "#filter") focusOn(document.getElementById("filter"));

let waitsForSection = 0;

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && isTyping(event.target)) {
    event.target.blur();
    return;
  }
  if (isTyping(event.target)) return;
  if (Date.now() - waitsForSection < 1500) {
    waitsForSection = 0;
    const section = [...sections()].find((link) => link.dataset.go === event.key);
    if (section) {
      event.preventDefault();
      location.assign(section.href);
    }
    return;
  }
  if (event.key === "/") {
    const filter = document.getElementById("filter");
    event.preventDefault();
    if (filter) focusOn(filter);
    else location.assign("/console/tokens#filter");
  } else if (event.key === "p") {
    event.preventDefault();
    focusOn(document.getElementById("person"));
  } else if (event.key === "?") {
    document.getElementById("keys")?.showModal();
  } else if (event.key === "g") {
    waitsForSection = Date.now();
  }
});

/** How long a secret stays in the clipboard. */
const CLIPBOARD_MS = 45_000;

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const text = button.parentElement.querySelector("code").textContent;
    const isSecret = button.dataset.copy === "secret";
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      say("The browser does not allow copying. Select the text instead.");
      return;
    }
    const name = button.textContent;
    button.textContent = "Copied";
    say("Copied.");
    setTimeout(() => { button.textContent = name; }, 2_000);
    if (isSecret) {
      setTimeout(() => navigator.clipboard.writeText("").catch(() => {}), CLIPBOARD_MS);
    }
  });
}

// A form that may be sent only when what it asks for is there: a reason, and a word.
for (const form of document.querySelectorAll("form[data-guarded]")) {
  const button = form.querySelector("button[type=submit]");
  const asked = [...form.querySelectorAll("input[required], input[data-confirm]")];
  const isThere = ({ value, dataset }) => (dataset.confirm ? value.trim() === dataset.confirm : value.trim() !== "");
  const check = () => { button.disabled = !asked.every(isThere); };
  form.addEventListener("input", check);
  // A browser that goes back fills fields in later.
  addEventListener("pageshow", check);
  check();
}

// A menu closes when one looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

const modules = {
  "[data-bearer]": "./bearer.js",
  "[data-complete]": "./filter.js",
  "[data-live]": "./live.js",
  "[data-run], [data-unfinished], [data-run-over]": "./run.js",
};

for (const [selector, module] of Object.entries(modules)) {
  if (document.querySelector(selector)) import(module);
}
