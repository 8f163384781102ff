import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "a device is revoked, and refused by another server within the bound";

export async function walk({ site, browser }) {
  const subject = "device-dora";
  const at = (id) => ({ kind: "session", subject, client: "web", metadata: { device: { id } } });
  const [stolen, kept] = [await site.api.issue(at("tablet")), await site.api.issue(at("desk"))];
  assert.ok((await site.otherApi.validate(stolen.bearer)).ok);
  const person = await Person.start(browser, site.url);
  await person.signIn(site.admin);
  await person.go(`/console/subjects/${subject}`);
  await person.page.getByRole("link", { name: /Revoke device….*tablet/ }).click();
  await person.page.getByLabel("Reason").fill("lost");
  const word = person.page.getByLabel(/to confirm/);
  if (await word.count()) await word.fill(await word.getAttribute("data-confirm"));
  await person.page.getByRole("button", { name: /^Revoke/ }).click();
  await person.sees(/Check: 0 alive/);
  const begun = performance.now();
  let refusedAfter = 0;
  for (;;) {
    const verdict = await site.otherApi.validate(stolen.bearer);
    refusedAfter = performance.now() - begun;
    if (!verdict.ok) {
      assert.equal(verdict.code, "token_revoked");
      break;
    }
    assert.ok(refusedAfter < 250, "still active after the bound");
  }
  assert.ok((await site.otherApi.validate(kept.bearer)).ok);
  await person.close();
  return `refused by the other server ${refusedAfter.toFixed(0)} ms after the page was there`;
}
