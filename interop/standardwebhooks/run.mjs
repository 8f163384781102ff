// A receiver by the library of Standard Webhooks: each event of keyfob has a signature that it accepts, also while one
// secret replaces another, and none that was changed.
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { Webhook } from "standardwebhooks";

const { KEYFOB_URL: url, KEYFOB_ADMIN_KEY: key } = process.env;
const call = async (method, path, body) => {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const response = await fetch(url + path, { method, headers, body: JSON.stringify(body) });
  assert.ok(response.ok, `${method} ${path}: ${response.status}`);
  return response.status === 204 ? null : response.json();
};

const got = [];
const receiver = createServer(async (request, response) => {
  const body = (await request.setEncoding("utf8").toArray()).join("");
  got.push({ body, headers: request.headers });
  response.writeHead(204).end();
});
await once(receiver.listen(0, "127.0.0.1"), "listening");
const hooks = `http://127.0.0.1:${receiver.address().port}/hooks`;
const next = async (count) => {
  for (let n = 0; got.length < count; n++) {
    assert.ok(n < 500, `${count} messages do not come`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return got[count - 1];
};

const created = await call("POST", "/v1/webhooks", { url: hooks, types: ["keyfob.token."] });
const older = new Webhook(created.secret);
await call("POST", "/v1/tokens", { subject: "alice" });
const first = await next(1);
const event = older.verify(first.body, first.headers);
assert.equal(event.type, "keyfob.token.issued");
assert.equal(event.data.token_subject, "alice");
assert.throws(() => older.verify(first.body + " ", first.headers));

const rotated = await call("POST", `/v1/webhooks/${created.webhook.id}/rotate`, {});
const answer = await call("POST", `/v1/webhooks/${created.webhook.id}/test`, {});
assert.equal(answer.delivered, true);
const second = await next(2);
for (const webhook of [older, new Webhook(rotated.secret)]) {
  assert.equal(webhook.verify(second.body, second.headers).type, "keyfob.webhook.test");
}
await call("DELETE", `/v1/webhooks/${created.webhook.id}`);
receiver.close();
