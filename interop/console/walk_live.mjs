import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "watching live; a pause loses nothing";

export async function walk({ site, browser }) {
  const person = await Person.start(browser, site.url);
  await person.signIn(site.admin);
  await person.go("/console/live");
  await person.sees("Watching");
  await site.api.issue({ kind: "session", subject: "live-before" });
  await person.sees("live-before");
  await person.page.getByRole("button", { name: "Pause" }).click();
  // What another server does while nobody looks is shown afterwards.
  for (const n of [1, 2, 3]) await site.otherApi.issue({ kind: "session", subject: `live-paused-${n}` });
  await person.page.waitForTimeout(500);
  await person.seesNot("live-paused-1");
  await person.page.getByRole("button", { name: "Continue" }).click();
  for (const n of [1, 2, 3]) await person.sees(`live-paused-${n}`);
  const seen = await person.page.locator("#live-rows").getByText(/^live-/).allTextContents();
  assert.deepEqual(seen, ["live-paused-3", "live-paused-2", "live-paused-1", "live-before"]);
  await person.page.getByPlaceholder("only with this text").fill("live-before");
  assert.equal(await person.page.locator("#live-rows tr:visible").count(), 1);
  // A refusal is an observation, and not an event.
  const revoked = await site.api.issue({ kind: "session", subject: "live-refused" });
  await site.api.send("DELETE", `/v1/tokens/${revoked.id}`);
  await person.page.getByPlaceholder("only with this text").fill("refused");
  await new Promise((resolve) => setTimeout(resolve, 300));
  await site.api.validate(revoked.bearer);
  await person.sees("token.refused", 8_000);
  await person.close();
}
