import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "signing in, the session among the sessions, signing out";

export async function walk({ site, browser }) {
  const person = await Person.start(browser, site.url);
  await person.go("/console/tokens?filter=kind:session");
  await person.sees("Sign in");
  await person.page.getByLabel("API key").fill("nonsense");
  await person.page.keyboard.press("Enter");
  await person.sees("does not accept this key");
  await person.page.getByLabel("API key").fill(site.admin);
  await person.page.keyboard.press("Enter");
  // It leads to where the person wanted to be.
  await person.page.getByRole("heading", { name: "Tokens" }).waitFor();
  assert.match(person.page.url(), /filter=kind/);
  const cookies = await person.context.cookies();
  assert.equal(cookies.length, 1);
  assert.ok(cookies[0].httpOnly && cookies[0].sameSite === "Strict");
  await person.page.getByRole("button", { name: "Sign out" }).click();
  await person.page.getByLabel("API key").waitFor();
  assert.deepEqual(await person.context.cookies(), []);
  await person.close();
}
