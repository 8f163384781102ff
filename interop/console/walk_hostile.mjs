import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "hostile values break no page";

const subjects = [
  "<script>document.title = 'broken'</script>",
  "\"><img src=x onerror=alert(1)>",
  "مريم العربية",
  "👩‍👩‍👧‍👦 🎉",
  "a\u202etxt.exe",
  "%2e%2e/..;a=b?c#d",
  "x".repeat(256),
];

export async function walk({ site, browser }) {
  const person = await Person.start(browser, site.url);
  await person.signIn(site.admin);
  await person.go("/console/live");
  await person.sees("Watching");
  const issued = [];
  for (const subject of subjects) {
    issued.push(await site.api.issue({
      kind: "session", subject, client: subject.slice(0, 100), audience: [subject],
      metadata: {
        device: { id: subject.slice(0, 100), user_agent: subject, platform: subject.slice(0, 60) },
        labels: { name: subject }, tags: [subject.slice(0, 60)],
      },
      claims: { big: `${subject} `.repeat(Math.ceil(3_000 / (subject.length + 1))) },
    }));
  }
  await person.page.waitForTimeout(700);
  await person.fits("live");
  const filter = encodeURIComponent("kind:session");
  const columns = ["subject", "labels", "device", "client", "scopes"].map((name) => `column=${name}`).join("&");
  const pages = [`/console/tokens?filter=${filter}&${columns}`, "/console", "/console/clients", "/console/live?after=start"];
  for (const { id } of issued) pages.push(`/console/tokens/${id}`);
  for (const subject of subjects) {
    pages.push(`/console/subjects/${encodeURIComponent(subject)}`);
    pages.push(`/console/clients/${encodeURIComponent(subject.slice(0, 100))}`);
  }
  for (const path of pages) {
    const answer = await person.go(path);
    assert.equal(answer.status(), 200, path);
    assert.match(await person.page.title(), /– keyfob$/, path);
    await person.fits(path);
    for (const width of [360, 1280]) {
      await person.page.setViewportSize({ width, height: 900 });
      await person.fits(`${path} at ${width} px`);
    }
    // No character that reorders a page reaches it.
    const shown = await person.page.evaluate(() => {
      const copy = document.documentElement.cloneNode(true);
      // Where a value is edited, it is what it is.
      for (const field of copy.querySelectorAll("input, textarea")) field.remove();
      return copy.outerHTML;
    });
    assert.doesNotMatch(shown, /[\u202a-\u202e\u2066-\u2069]/, path);
  }
  await person.close();
}
