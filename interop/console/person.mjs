// A person with a browser, and what is looked at meanwhile: errors in the console of the browser, and
// requests to anywhere else.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Starts the browser. */
export function startBrowser() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--force-color-profile=srgb"],
  });
}

/** A person with a browser of their own. */
export class Person {
  static async start(browser, url, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
    const person = new Person();
    person.context = context;
    person.url = url;
    person.complaints = [];
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: url }).catch(() => {});
    await context.route("**/*", (route) => {
      const asked = route.request().url();
      if (!asked.startsWith(url)) person.complaints.push(`a request to ${asked}`);
      return route.continue();
    });
    context.on("page", (page) => person.watch(page));
    person.page = await context.newPage();
    return person;
  }

  watch(page) {
    page.on("pageerror", (error) => this.complaints.push(`${page.url()}: ${error}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        // A page that answers 401, 404 or 422 is meant so; the browser reports it as an error of loading.
        if (/Failed to load resource/.test(message.text())) return;
        this.complaints.push(`${page.url()}: ${message.text()}`);
      }
    });
  }

  async signIn(key) {
    await this.page.goto(`${this.url}/console/sign-in`);
    await this.page.getByLabel("API key").fill(key);
    await this.page.getByRole("button", { name: "Sign in" }).click();
    await this.page.getByRole("button", { name: "Sign out" }).waitFor();
  }

  go(path) {
    return this.page.goto(this.url + path);
  }

  /** Waits until the page says this. */
  async sees(text, timeout = 5_000) {
    await this.page.getByText(text).first().waitFor({ timeout });
  }

  async seesNot(text) {
    assert.equal(await this.page.getByText(text).count(), 0, `the page says ${text}`);
  }

  /** Holds the page to the rules of axe-core. */
  async isAccessible(name) {
    await this.page.evaluate(axe);
    const { violations } = await this.page.evaluate(() => globalThis.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }));
    const found = violations.flatMap(({ id, help, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${help}: ${target} ${failureSummary}`));
    assert.deepEqual(found, [], `axe-core finds on ${name}`);
  }

  /** Nothing of the page is wider than the screen. */
  async fits(name) {
    const over = await this.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    assert.ok(over <= 0, `${name} is ${over} px wider than the screen`);
  }

  async close() {
    await this.context.close();
    assert.deepEqual(this.complaints, [], "complaints of the browser");
  }
}
