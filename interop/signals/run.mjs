// A receiver of Shared Signals finds the service, makes streams, polls, is pushed tokens, and checks each with jose, as its
// issuer says in the configuration. KEYFOB_ADMIN_KEY is the key of an administrator, KEYFOB_SIGNALS_KEY that of the
// receiver "idp".
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { createRemoteJWKSet, jwtVerify } from "jose";

const { KEYFOB_URL, KEYFOB_ADMIN_KEY, KEYFOB_SIGNALS_KEY } = process.env;
const CAEP = "https://schemas.openid.net/secevent/caep/event-type";
const SSF = "https://schemas.openid.net/secevent/ssf/event-type";

async function send(method, url, key, body) {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json" };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const text = await response.text();
  assert.ok(response.ok, `${method} ${url}: ${response.status}: ${text}`);
  return { status: response.status, body: text && JSON.parse(text) };
}

const call = async (method, url, body) => (await send(method, url, KEYFOB_SIGNALS_KEY, body)).body;
const admin = async (path, body) =>
  (await send("POST", KEYFOB_URL + path, KEYFOB_ADMIN_KEY, body)).body;

// SSF 1.0 section 7: the issuer is the one that was asked, and every endpoint is named.
const found = await fetch(new URL("/.well-known/ssf-configuration", KEYFOB_URL));
assert.equal(found.headers.get("content-type"), "application/json");
const transmitter = await found.json();
assert.equal(transmitter.issuer, KEYFOB_URL);
assert.equal(transmitter.spec_version, "1_0");
const keys = createRemoteJWKSet(new URL(transmitter.jwks_uri));

async function check(stream, jwt) {
  const { issuer } = transmitter;
  const { payload } = await jwtVerify(jwt, keys, { issuer, audience: stream.aud, typ: "secevent+jwt" });
  // RFC 8417 section 2.2 and SSF 1.0 section 5.1.
  assert.ok(payload.jti && payload.iat && payload.sub_id.format);
  assert.equal(payload.sub, undefined);
  assert.equal(payload.exp, undefined);
  assert.equal(Object.keys(payload.events).length, 1);
  return payload;
}

async function poll(stream, members = {}) {
  const answer = await call("POST", stream.delivery.endpoint_url, { returnImmediately: true, ...members });
  const sets = [];
  for (const [jti, jwt] of Object.entries(answer.sets)) {
    const payload = await check(stream, jwt);
    assert.equal(payload.jti, jti);
    sets.push(payload);
  }
  return { sets, more: answer.moreAvailable };
}

const { configuration_endpoint: streams } = transmitter;
assert.deepEqual(await call("GET", streams), []);
const stream = await call("POST", streams, {
  events_requested: [`${CAEP}/session-revoked`, `${CAEP}/device-compliance-change`],
});
assert.equal(stream.iss, transmitter.issuer);
assert.equal(stream.delivery.method, "urn:ietf:rfc:8936");
assert.deepEqual(stream.events_delivered, [`${CAEP}/session-revoked`]);
const { stream_id } = stream;

// A verification is the first that comes, and has the state.
const verified = await send("POST", transmitter.verification_endpoint, KEYFOB_SIGNALS_KEY, { stream_id, state: "abc" });
assert.equal(verified.status, 204);
const first = await poll(stream);
assert.deepEqual(first.sets[0].events, { [`${SSF}/verification`]: { state: "abc" } });
assert.deepEqual(first.sets[0].sub_id, { format: "opaque", id: stream_id });

// Three sessions end. They come in order, again until they are acknowledged, and no longer.
const session = (subject) => admin("/v1/tokens", { kind: "session", subject });
const revoke = async (subject) => {
  const { id } = await session(subject);
  await admin("/v1/revoke", { target: { token: id }, reason: "left" });
  return id;
};
const ended = [await revoke("alice"), await revoke("bob"), await revoke("alice")];
const ack = first.sets.map((set) => set.jti);
const some = await poll(stream, { ack, maxEvents: 2 });
assert.equal(some.more, true);
assert.deepEqual(some.sets.map((set) => set.sub_id.session.id), ended.slice(0, 2));
const [{ events, sub_id: user }] = some.sets;
assert.equal(events[`${CAEP}/session-revoked`].reason_admin.en, "left");
assert.deepEqual(user.user, { format: "iss_sub", iss: transmitter.issuer, sub: "alice" });
const again = await poll(stream, { maxEvents: 2 });
assert.deepEqual(again.sets.map((set) => set.jti), some.sets.map((set) => set.jti));
const error = { err: "invalid_key", description: "no such key" };
const rest = await poll(stream, { ack: [some.sets[1].jti], setErrs: { [some.sets[0].jti]: error } });
assert.deepEqual(rest.sets.map((set) => set.sub_id.session.id), ended.slice(2));
assert.deepEqual((await poll(stream, { ack: rest.sets.map((set) => set.jti) })).sets, []);

// A poll that waits is answered by the event.
const waiting = call("POST", stream.delivery.endpoint_url, {});
const late = await revoke("carol");
const { sets } = await waiting;
const [lateJti] = Object.keys(sets);
assert.equal((await check(stream, sets[lateJti])).sub_id.session.id, late);
await poll(stream, { ack: [lateJti], maxEvents: 0 });

// Paused, it holds what happens.
const status = (status) => call("POST", transmitter.status_endpoint, { stream_id, status });
assert.equal((await status("paused")).status, "paused");
const held = await revoke("dave");
assert.deepEqual((await poll(stream)).sets, []);
await status("enabled");
const resumed = await poll(stream);
assert.deepEqual(resumed.sets.map((set) => set.sub_id.session.id), [held]);

// A stream that is pushed (RFC 8935): the receiver answers 202.
const got = [];
const receiver = createServer(async (request, response) => {
  got.push({ headers: request.headers, body: (await request.setEncoding("utf8").toArray()).join("") });
  response.writeHead(202).end();
});
await once(receiver.listen(0, "127.0.0.1"), "listening");
const endpoint_url = `http://127.0.0.1:${receiver.address().port}/events`;
const method = "urn:ietf:rfc:8935";
const pushed = await call("POST", streams, {
  delivery: { method, endpoint_url, authorization_header: "Bearer of-the-receiver" },
});
assert.equal(pushed.delivery.authorization_header, undefined);
await admin("/v1/revoke", { target: { subject: "alice" }, reason: "stolen" });
for (let n = 0; got.length < 1; n++) {
  assert.ok(n < 500, "nothing is pushed");
  await new Promise((resolve) => setTimeout(resolve, 20));
}
assert.equal(got[0].headers["content-type"], "application/secevent+jwt");
assert.equal(got[0].headers.authorization, "Bearer of-the-receiver");
assert.equal((await check(pushed, got[0].body)).sub_id.sub, "alice");

for (const { stream_id } of await call("GET", streams)) {
  const url = new URL(streams);
  url.searchParams.set("stream_id", stream_id);
  assert.equal((await send("DELETE", url, KEYFOB_SIGNALS_KEY)).status, 204);
}
assert.deepEqual(await call("GET", streams), []);
receiver.close();
console.log("jose checks security event tokens that are polled and pushed");
