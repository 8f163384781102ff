import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "a session ends in the middle of work, and nothing typed is lost";

export async function walk({ site, browser }) {
  const issued = await site.api.issue({ kind: "session", subject: "ended-erin" });
  const key = await site.api.key_of("ended", ["keyfob:admin"]);
  const person = await Person.start(browser, site.url);
  await person.signIn(key);
  const { page } = person;
  await person.go(`/console/tokens/${issued.id}/revoke`);
  await page.getByLabel("Reason").fill("a reason that took long to write");
  // Somebody ends the session meanwhile.
  const sessions = await site.api.send("GET", "/v1/tokens?filter=client:ended+kind:session+state:active");
  for (const { id } of sessions.tokens) await site.otherApi.send("DELETE", `/v1/tokens/${id}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  await page.getByRole("button", { name: /^Revoke/ }).click();
  await person.sees("Sign in");
  assert.ok((await site.api.validate(issued.bearer)).ok, "nothing was done without a session");
  await page.getByLabel("API key").fill(key);
  await page.keyboard.press("Enter");
  await person.sees("a reason that took long to write");
  await page.getByRole("button", { name: "Do it" }).click();
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  const token = await site.api.send("GET", `/v1/tokens/${issued.id}`);
  assert.equal(token.revocation.reason, "a reason that took long to write");
  await person.close();
}
