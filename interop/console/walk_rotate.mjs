import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "a key gets a new secret, which is shown once";

export async function walk({ site, browser }) {
  const key = await site.api.issue({ kind: "api-key", client: "rotating", scopes: ["keyfob:introspect"] });
  // A secret that nobody has used is replaced at once, so this one is used first.
  assert.ok((await site.api.validate(key.bearer)).ok);
  const person = await Person.start(browser, site.url);
  await person.signIn(site.admin);
  await person.go(`/console/tokens/${key.id}`);
  await person.page.getByRole("link", { name: "Rotate…" }).click();
  await person.page.getByRole("button", { name: "Rotate now" }).click();
  const secret = await person.page.locator(".copyable code").first().textContent();
  assert.ok((await site.api.validate(secret)).ok);
  assert.ok((await site.api.validate(key.bearer)).ok, "the older secret works during the overlap");
  await person.page.getByRole("button", { name: "Copy" }).first().click();
  await person.sees("Copied");
  assert.equal(await person.page.evaluate(() => navigator.clipboard.readText()), secret);
  assert.ok(!person.page.url().includes(secret) && !(await person.page.title()).includes(secret));
  await person.go(`/console/tokens/${key.id}`);
  assert.ok(!(await person.page.content()).includes(secret), "the secret is shown once");
  await person.close();
}
