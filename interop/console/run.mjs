// The console as people use it, in a real browser: `cargo xtask console [WALK ...]`.

import { readdirSync } from "node:fs";
import { startBrowser } from "./person.mjs";
import { startSite } from "./site.mjs";

const wanted = process.argv.slice(2).filter((word) => !word.startsWith("--"));
const files = readdirSync(new URL(".", import.meta.url));
const all = files.flatMap((file) => file.match(/^walk_(.*)\.mjs$/)?.[1] ?? []).sort();
for (const name of wanted) {
  if (!all.includes(name)) throw new Error(`${name} is not one of the walks: ${all.join(", ")}`);
}

const site = await startSite();
const browser = await startBrowser();
const failed = [];
for (const name of wanted.length ? wanted : all) {
  const { about, walk } = await import(`./walk_${name}.mjs`);
  const begun = Date.now();
  try {
    const note = await walk({ site, browser, withPictures: process.argv.includes("--pictures") });
    console.log(`console ${name}: ${about}: ${Date.now() - begun} ms${note ? ` (${note})` : ""}`);
  } catch (error) {
    failed.push(name);
    console.error(`console ${name} failed: ${about}\n${error.stack}`);
  }
}
await browser.close();
if (failed.length) console.error(`failed: ${failed.join(", ")}`);
process.exit(failed.length ? 1 : 0);
