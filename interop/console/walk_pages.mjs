import { mkdirSync } from "node:fs";
import { join } from "node:path";
import assert from "node:assert/strict";
import { Person } from "./person.mjs";

export const about = "every page: axe-core in light and dark, nothing wider than the screen, pictures";

const agents = [
  ["laptop", "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0", "192.0.2.17"],
  ["phone", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1", "198.51.100.4"],
  ["work", "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36", "203.0.113.9"],
];

/** Makes what there is to see. Returns the addresses of the pages, by name. */
async function furnish({ api }) {
  const sessions = [];
  for (const [device, user_agent, ip] of agents) {
    sessions.push(await api.issue({
      kind: "session", subject: "user-4711", client: "web-shop", scopes: ["orders:read", "orders:write"], idle: "30m", username: "Zoë Example",
      metadata: { device: { id: device, user_agent, ip }, app: "shop", labels: { team: "shop", region: "eu" }, tags: ["beta"] },
    }));
  }
  for (const { bearer } of sessions) for (let n = 0; n < 20; n += 1) await api.validate(bearer);
  const derive = (parent, acting) => api.send("POST", `/v1/tokens/${parent.id}/derive`, { token: parent.bearer, acting, scopes: ["orders:read"] });
  const agent = await derive(sessions[0], "billing");
  await derive(agent, "mailer");
  await api.send("DELETE", `/v1/tokens/${sessions[1].id}?reason=lost%20phone`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  for (let n = 0; n < 5; n += 1) await api.validate(sessions[1].bearer);
  const key = await api.issue({ kind: "api-key", client: "web-shop", scopes: ["keyfob:introspect"] });
  await api.send("POST", `/v1/tokens/${key.id}/rotate`, { overlap: "24h" });
  const hooks = { url: "https://receiver.example/hooks/keyfob", types: ["keyfob.token.revoked"], description: "the mailer" };
  const { webhook } = await api.send("POST", "/v1/webhooks", hooks);
  for (const client of ["mail", "billing"]) {
    for (let n = 0; n < 4; n += 1) await api.issue({ kind: "refresh", subject: `user-${n}`, client });
  }
  // The charts of the overview are of the last samples.
  await new Promise((resolve) => setTimeout(resolve, 11_000));
  return {
    "sign-in": "/console/sign-in",
    overview: "/console",
    tokens: "/console/tokens",
    "tokens-wrong": "/console/tokens?filter=tag%3Amobile+subjct%3Aalice",
    "tokens-none": "/console/tokens?filter=subject%3Anobody",
    token: `/console/tokens/${sessions[0].id}`,
    "token-revoked": `/console/tokens/${sessions[1].id}`,
    "api-key": `/console/tokens/${key.id}`,
    subject: "/console/subjects/user-4711",
    "subject-unknown": "/console/subjects/nobody",
    clients: "/console/clients",
    client: "/console/clients/web-shop",
    revoke: "/console/revoke?filter=subject%3Auser-4711",
    live: "/console/live",
    events: "/console/live?after=start",
    keys: "/console/keys?count=true",
    webhooks: "/console/webhooks",
    webhook: `/console/webhooks/${webhook.id}`,
    bearer: "/console/bearer",
    nothing: "/console/nowhere",
  };
}

/** The pages that the documentation shows. */
const shown = ["overview", "tokens", "token", "subject", "client", "clients", "live", "keys", "bearer", "revoke", "sign-in"];

export async function walk({ site, browser, withPictures }) {
  const pages = await furnish(site);
  const folder = process.env.PICTURES;
  if (withPictures) mkdirSync(folder, { recursive: true });
  const failures = [];
  for (const colorScheme of ["light", "dark"]) {
    const person = await Person.start(browser, site.url, { colorScheme });
    await person.signIn(site.admin);
    for (const [name, path] of Object.entries(pages)) {
      await person.go(path);
      if (name === "live") await person.sees("Watching");
      const check = async (what, run) => {
        try {
          await run();
        } catch (error) {
          failures.push(`${name}, ${colorScheme}, ${what}: ${error.message}`);
        }
      };
      await check("axe", () => person.isAccessible(name));
      for (const width of [360, 2560, 1280]) {
        await person.page.setViewportSize({ width, height: width === 360 ? 740 : 900 });
        await check(`${width} px`, () => person.fits(name));
        if (withPictures && colorScheme === "light" && width !== 2560 && shown.includes(name)) {
          const file = width === 360 ? `${name}-narrow.png` : `${name}.png`;
          await person.page.screenshot({ path: join(folder, file) });
        }
        if (withPictures && colorScheme === "dark" && width === 1280 && name === "overview") {
          await person.page.screenshot({ path: join(folder, "overview-dark.png") });
        }
      }
    }
    await person.close();
  }
  assert.deepEqual(failures, []);
  return `${Object.keys(pages).length} pages`;
}
