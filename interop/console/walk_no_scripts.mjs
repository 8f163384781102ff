import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "pages that only read work without scripts";

export async function walk({ site, browser }) {
  const issued = await site.api.issue({ kind: "session", subject: "plain-alice", client: "plain" });
  const person = await Person.start(browser, site.url, { javaScriptEnabled: false });
  await person.signIn(site.admin);
  for (const [path, text] of [
    ["/console", "Tokens by kind"],
    ["/console/tokens?filter=subject%3Aplain-alice", issued.id],
    [`/console/tokens/${issued.id}`, "plain-alice"],
    ["/console/subjects/plain-alice", "plain-alice"],
    ["/console/clients", "plain"],
    ["/console/clients/plain", "plain"],
    ["/console/live?after=start", "token.issued"],
    ["/console/keys", "Sealing keys"],
    ["/console/bearer", "Check a bearer"],
  ]) {
    assert.equal((await person.go(path)).status(), 200, path);
    await person.sees(text);
  }
  await person.page.goto(`${site.url}/console/tokens`);
  await person.page.getByLabel("Filter").fill("subject:plain-alice state:active");
  await person.page.locator("#content").getByRole("button", { name: "Find" }).click();
  await person.sees("These are all.");
  await person.close();
}
