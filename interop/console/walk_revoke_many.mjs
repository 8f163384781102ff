import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "revoking by a filter: paused, the page closed, resumed";

const COUNT = 6_000;

export async function walk({ site, browser }) {
  for (let n = 0; n < COUNT; n += 1_000) {
    await site.api.send("POST", "/v1/tokens", Array.from({ length: 1_000 }, (_, k) => ({ subject: `many-${n + k}`, metadata: { tags: ["leak"] } })));
  }
  const other = await site.api.issue({ kind: "session", subject: "many-other" });
  const person = await Person.start(browser, site.url);
  await person.signIn(site.admin);
  await person.go("/console/tokens?filter=tag%3Aleak");
  await person.page.getByRole("link", { name: /Revoke all that match/ }).click();
  await person.page.getByLabel("Reason").fill("leaked");
  await person.page.getByText("Speed limit (optional)").click();
  await person.page.getByLabel("At most, in a second").fill("1500");
  const word = person.page.getByLabel(/to confirm/);
  await word.fill(await word.getAttribute("data-confirm"));
  await person.page.getByRole("button", { name: /^Revoke/ }).click();
  const numbers = person.page.locator("[data-run-numbers]");
  await person.page.waitForFunction(() => {
    const done = document.querySelector("[data-run-numbers]")?.textContent.replace(/[^0-9].*$/, "") ?? "0";
    return Number(done) > 0 || /^[1-9][0-9,]*/.test(document.querySelector("[data-run-numbers]")?.textContent ?? "");
  });
  await person.page.getByRole("button", { name: "Pause" }).click();
  const paused = await numbers.textContent();
  await person.page.getByRole("button", { name: "Resume" }).waitFor();
  // The page is closed, and the run is there when somebody comes back.
  await person.page.close();
  person.page = await person.context.newPage();
  await person.go("/console");
  await person.sees(/A revocation of tag:leak stopped at/);
  await person.page.getByRole("link", { name: "Resume" }).click();
  await person.page.getByRole("button", { name: "Resume" }).click();
  await person.sees(/Check: 0 alive/, 60_000);
  assert.equal((await site.api.send("GET", "/v1/tokens/count?filter=tag:leak+state:active")).count, 0);
  assert.ok((await site.api.validate(other.bearer)).ok);
  await person.close();
  return `paused at "${paused.trim()}"`;
}
