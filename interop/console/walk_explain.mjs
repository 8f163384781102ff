import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "a token is found by its label, and its refusal explained";

export async function walk({ site, browser }) {
  const issued = await site.api.issue({
    kind: "session", subject: "explain-eve", audience: ["shop"], scopes: ["read"], metadata: { labels: { ticket: "T-1815" } },
  });
  await site.api.send("DELETE", `/v1/tokens/${issued.id}?reason=password%20changed`);
  const person = await Person.start(browser, site.url);
  await person.signIn(site.admin);
  const { page } = person;
  // By keyboard: to the filter, with completion.
  await page.goto(`${site.url}/console/tokens`);
  await page.keyboard.press("/");
  await page.keyboard.type("lab");
  await person.sees("key=value");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await page.keyboard.type("ticket=T-1815");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: issued.id }).click();
  await page.getByRole("link", { name: "Explain", exact: true }).click();
  await page.getByLabel("Audience").fill("bank");
  await page.getByLabel("All of these scopes").fill("read write");
  await page.getByRole("button", { name: "Explain" }).click();
  await person.sees(/refused, for 3 reasons/);
  await person.sees(/password changed/);
  // A bearer says the same, and is in no address.
  await person.go("/console/bearer");
  await page.locator("[name=bearer]").fill(issued.bearer);
  await person.sees(/session/);
  await page.getByRole("button", { name: /Ask|Check|Send/ }).first().click();
  await person.sees(issued.id);
  await person.sees(/password changed/);
  assert.ok(!page.url().includes(issued.bearer));
  // A JWT is a bearer too.
  const jwt = await site.api.issue({
    kind: "access", format: "jwt", subject: "jwt-jane", client: "web", audience: ["https://orders.example"], ttl: "5m",
  });
  await person.go("/console/bearer");
  await page.locator("[name=bearer]").fill(`Bearer ${jwt.bearer}`);
  await person.sees(/A JWT of.*jwt-jane.*for https:\/\/orders.example/);
  await page.getByRole("button", { name: "Check", exact: true }).click();
  await person.sees(/accepted|valid/i);
  await person.sees(jwt.id);
  await page.getByRole("button", { name: "Sign out" }).waitFor();
  await person.close();
}
