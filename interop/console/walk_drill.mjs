import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "the drill: a laptop was stolen, user 4712";

/** How long a revocation may take to reach the other server. */
const BOUND_MS = 250;

export async function walk({ site, browser }) {
  const subject = "user-4712";
  const device = (id, user_agent) => ({ device: { id, user_agent, ip: "192.0.2.8" } });
  const laptop = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0";
  const tokens = [];
  for (const kind of ["session", "refresh"]) {
    tokens.push(await site.api.issue({ kind, subject, client: "web", scopes: ["read"], metadata: device("laptop", laptop) }));
  }
  tokens.push(await site.api.issue({ kind: "session", subject, client: "app", scopes: ["read"], metadata: device("phone", "ShopApp/3.2 (Android 15)") }));
  for (const { bearer } of tokens) assert.ok((await site.otherApi.validate(bearer)).ok);

  const person = await Person.start(browser, site.url);
  await person.signIn(site.admin);
  const begun = Date.now();
  const { page } = person;
  // Find what is alive.
  await page.getByPlaceholder(/Find a person/).fill(subject);
  await page.keyboard.press("Enter");
  await person.sees("3 alive");
  await person.sees(/Firefox/);
  // Revoke it.
  await page.getByRole("link", { name: /Revoke everything/ }).click();
  await page.getByLabel("Reason").fill("laptop stolen");
  const word = page.getByLabel(/to confirm/);
  if (await word.count()) await word.fill(await word.getAttribute("data-confirm"));
  await page.getByRole("button", { name: /^Revoke/ }).click();
  // Prove that it is refused everywhere.
  await person.sees(/Check: 0 alive/);
  const revoked = Date.now();
  await new Promise((resolve) => setTimeout(resolve, BOUND_MS));
  for (const { bearer } of tokens) {
    for (const api of [site.api, site.otherApi]) {
      const verdict = await api.validate(bearer);
      assert.deepEqual([verdict.ok, verdict.code], [false, "token_revoked"]);
    }
  }
  // Tell the user why.
  const sentence = await page.locator(".copyable code").filter({ hasText: "laptop stolen" }).first().textContent();
  assert.match(sentence, /ended|revoked/);
  await page.getByRole("link", { name: /To the subject/ }).click();
  await person.sees("Why was I logged out?");
  await person.sees(/laptop stolen/);
  await person.close();
  return `${((revoked - begun) / 1000).toFixed(1)} s to the proof: "${sentence}"`;
}
