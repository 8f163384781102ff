import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "the page of the OpenAPI document";

export async function walk({ site, browser }) {
  for (const colorScheme of ["light", "dark"]) {
    const person = await Person.start(browser, site.url, { colorScheme });
    await person.go("/docs");
    await person.page.getByRole("heading", { name: /\/v1\/tokens/ }).first().waitFor();
    const document = await (await fetch(`${site.url}/openapi.json`)).json();
    const operations = Object.values(document.paths).flatMap((path) => Object.values(path)).filter((operation) => operation.operationId);
    // What is no element and no text would be shown as its type.
    assert.doesNotMatch(await person.page.locator("body").innerText(), /\[object|undefined/);
    for (const { summary } of operations) {
      assert.ok(await person.page.getByText(summary).count() > 0, `no ${summary}`);
    }
    await person.isAccessible("docs");
    await person.page.setViewportSize({ width: 360, height: 740 });
    await person.fits("docs at 360 px");
    await person.close();
  }
}
