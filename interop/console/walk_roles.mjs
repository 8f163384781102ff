import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "two people with different keys see what they may";

export async function walk({ site, browser }) {
  const issued = await site.api.issue({ kind: "session", subject: "roles-alice" });
  const reader = await Person.start(browser, site.url);
  await reader.signIn(await site.api.key_of("reader", ["keyfob:read"]));
  const revoker = await Person.start(browser, site.url);
  await revoker.signIn(await site.api.key_of("revoker", ["keyfob:read", "keyfob:revoke"]));
  for (const [person, may] of [[reader, false], [revoker, true]]) {
    await person.go(`/console/tokens/${issued.id}`);
    await person.sees("roles-alice");
    assert.equal(await person.page.getByRole("link", { name: /^Revoke/ }).or(person.page.getByRole("button", { name: /^Revoke/ })).count() > 0, may);
    assert.equal(await person.page.getByRole("navigation").getByRole("link", { name: "Live" }).count(), 0);
    // What is hidden is refused too.
    assert.equal((await person.go("/console/live?after=start")).status(), 403);
    assert.equal((await person.go("/console/keys")).status(), 403);
  }
  await reader.close();
  await revoker.close();
}
