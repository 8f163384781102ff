import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "ten thousand sessions of one subject";

const COUNT = 10_000;

export async function walk({ site, browser }) {
  const subject = "crowd-1";
  for (let n = 0; n < COUNT; n += 1_000) {
    await site.api.send("POST", "/v1/tokens", Array.from({ length: 1_000 }, (_, k) => ({
      kind: "session", subject, client: "web",
      metadata: { device: { id: `device-${(n + k) % 40}`, user_agent: "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0" } },
    })));
  }
  const person = await Person.start(browser, site.url);
  await person.signIn(site.admin);
  const path = `/console/subjects/${subject}`;
  const begun = Date.now();
  assert.equal((await person.go(path)).status(), 200);
  const opened = Date.now() - begun;
  await person.sees(/Firefox/);
  for (const width of [360, 1280]) {
    await person.page.setViewportSize({ width, height: 900 });
    await person.fits(`the subject at ${width} px`);
  }
  const rows = await person.page.locator("table.devices tr").count();
  assert.ok(rows > 40 && rows < 400, `${rows} rows: a page of them`);
  await person.page.getByRole("link", { name: "Next page" }).click();
  await person.sees(/Firefox/);
  await person.go(`/console/tokens?filter=${encodeURIComponent(`subject:${subject}`)}`);
  await person.fits("the tokens");
  await person.go(path);
  const revoking = Date.now();
  await person.page.getByRole("link", { name: /Revoke everything/ }).click();
  await person.page.getByLabel("Reason").fill("a script went wild");
  const word = person.page.getByLabel(/to confirm/);
  if (await word.count()) await word.fill(await word.getAttribute("data-confirm"));
  await person.page.getByRole("button", { name: /^Revoke/ }).click();
  await person.sees(/Check: 0 alive/, 60_000);
  const revoked = Date.now() - revoking;
  await person.close();
  return `the page after ${opened} ms, all revoked and checked after ${revoked} ms`;
}
