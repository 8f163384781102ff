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
    if (filter) filter.select();
    else location.assign("/console/tokens");
  } else if (event.key === "p") {
    event.preventDefault();
    document.getElementById("person")?.select();
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

// A form that asks for a word before it may be sent.
for (const input of document.querySelectorAll("input[data-confirm]")) {
  const button = input.form.querySelector("button[type=submit]");
  const check = () => { button.disabled = input.value.trim() !== input.dataset.confirm; };
  input.addEventListener("input", check);
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
  "[data-run], [data-runs], [data-run-over]": "./run.js",
};

for (const [selector, module] of Object.entries(modules)) {
  if (document.querySelector(selector)) import(module);
}
