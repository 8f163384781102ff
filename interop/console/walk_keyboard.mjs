import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "everything by keyboard alone";

export async function walk({ site, browser }) {
  const subject = "keyboard-kim";
  const issued = await site.api.issue({ kind: "session", subject });
  const person = await Person.start(browser, site.url);
  const { page } = person;
  // Keys work once the scripts of a page are there.
  const press = async (key) => {
    await page.waitForLoadState("load");
    await page.keyboard.press(key);
  };
  /** Moves by Tab until this has the focus. */
  const tabTo = async (name, role = /^(A|BUTTON|INPUT|SUMMARY)$/) => {
    for (let n = 0; n < 80; n += 1) {
      await press("Tab");
      const [tag, text] = await page.evaluate(() => {
        const focused = document.activeElement;
        return [focused.tagName, `${focused.textContent} ${focused.getAttribute("aria-label") ?? ""} ${focused.labels?.[0]?.textContent ?? ""}`];
      });
      if (role.test(tag) && name.test(text)) return;
    }
    throw new Error(`nothing with the focus is called ${name}`);
  };
  await page.goto(`${site.url}/console`);
  await page.keyboard.type(site.admin);
  await press("Enter");
  await page.getByRole("heading", { name: "Overview" }).waitFor();
  await press("?");
  await person.sees("the filter");
  await press("Escape");
  await press("g");
  await press("t");
  await page.getByRole("heading", { name: "Tokens" }).waitFor();
  // From a page without a filter, the key leads to the one of the list.
  await press("g");
  await press("c");
  await page.getByRole("heading", { name: "Clients" }).waitFor();
  await press("/");
  await page.waitForFunction(() => document.activeElement?.id === "filter");
  await page.keyboard.type(`subject:${subject} `);
  await press("Enter");
  await page.waitForURL(/filter=subject/);
  await tabTo(new RegExp(issued.id));
  await press("Enter");
  await page.getByRole("heading", { name: issued.id }).waitFor();
  await tabTo(/^Revoke…/);
  await press("Enter");
  await page.getByLabel("Reason").waitFor();
  await tabTo(/Reason/, /^(INPUT|TEXTAREA)$/);
  await page.keyboard.type("by keyboard");
  await tabTo(/^\s*Revoke/);
  await press("Enter");
  await person.sees(/revoked/);
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal((await site.otherApi.validate(issued.bearer)).code, "token_revoked");
  await person.close();
}
