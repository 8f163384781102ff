// jose checks access tokens that are JWTs, learns from the status list that one was revoked, and reads signed introspection.
// KEYFOB_ADMIN_KEY is the key of an administrator, KEYFOB_CLIENT_SECRET an API key of the client "shop".
import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import { inflateSync } from "node:zlib";
import { createRemoteJWKSet, decodeProtectedHeader, errors, jwtVerify } from "jose";

const { KEYFOB_URL, KEYFOB_ADMIN_KEY, KEYFOB_CLIENT_SECRET } = process.env;
const audience = "https://orders.example";

const metadata = await json(`${KEYFOB_URL}/.well-known/oauth-authorization-server`);
assert.equal(metadata.issuer, KEYFOB_URL);
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
const { issuer } = metadata;

async function json(url, options) {
  const response = await fetch(url, options);
  assert.ok(response.ok, `${url}: ${response.status}`);
  return response.json();
}

const basic = (name, secret) => `Basic ${Buffer.from(`${name}:${secret}`).toString("base64")}`;

const form = (url, client, secret, members) =>
  fetch(url, {
    method: "POST",
    headers: { authorization: basic(client, secret) },
    body: new URLSearchParams(members),
  });

// Checks an access token as a service does that never calls keyfob about a token.
async function check(token) {
  const { payload } = await jwtVerify(token, keys, { issuer, audience, typ: "at+jwt" });
  return payload;
}

// Fetches the list of a token, checks it, and returns the bit of the token and for how long it may be used.
async function isRevoked({ uri, idx }) {
  const response = await fetch(uri);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "application/statuslist+jwt");
  const { payload } = await jwtVerify(await response.text(), keys, { typ: "statuslist+jwt", subject: uri });
  assert.ok(payload.ttl > 0 && payload.exp > payload.iat + payload.ttl);
  assert.equal(payload.status_list.bits, 1);
  const bits = inflateSync(Buffer.from(payload.status_list.lst, "base64url"));
  return ((bits[idx >> 3] >> (idx & 7)) & 1) === 1;
}

// Client credentials for an audience that takes JWTs give one.
const granted = await form(metadata.token_endpoint, "shop", KEYFOB_CLIENT_SECRET, {
  grant_type: "client_credentials",
  resource: audience,
  scope: "read",
});
assert.equal(granted.status, 200);
const { access_token: first, token_type } = await granted.json();
assert.equal(token_type, "Bearer");
const claims = await check(first);
assert.equal(claims.client_id, "shop");
assert.equal(claims.scope, "read");
assert.match(claims.jti, /./);
assert.equal(decodeProtectedHeader(first).typ, "at+jwt");

// Another one of the same list, issued by the API of the service.
const issue = async (members) => {
  const issued = await json(`${KEYFOB_URL}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEYFOB_ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ kind: "access", format: "jwt", client: "shop", audience: [audience], ...members }),
  });
  return issued.bearer;
};
const second = await issue({ subject: "alice", claims: { plan: "team" } });
const alice = await check(second);
assert.equal(alice.sub, "alice");
assert.equal(alice.plan, "team");

// A token for another service, or with a letter of its signature changed, is refused.
await assert.rejects(jwtVerify(second, keys, { issuer, audience: "https://shop.example" }), {
  code: "ERR_JWT_CLAIM_VALIDATION_FAILED",
});
const at = second.length - 20;
const forged = second.slice(0, at) + (second[at] === "A" ? "B" : "A") + second.slice(at + 1);
await assert.rejects(check(forged), errors.JWSSignatureVerificationFailed);

// What introspection says can be signed for the caller (RFC 9701).
const introspection = await fetch(metadata.introspection_endpoint, {
  method: "POST",
  headers: {
    authorization: basic("shop", KEYFOB_CLIENT_SECRET),
    accept: "application/token-introspection+jwt",
  },
  body: new URLSearchParams({ token: first }),
});
assert.equal(introspection.headers.get("content-type"), "application/token-introspection+jwt");
const signed = await jwtVerify(await introspection.text(), keys, {
  issuer,
  audience: "shop",
  typ: "token-introspection+jwt",
  algorithms: metadata.introspection_signing_alg_values_supported,
});
assert.equal(signed.payload.token_introspection.active, true);
assert.equal(signed.payload.token_introspection.jti, claims.jti);

// A client that only knows the service finds the issuer (RFC 9728).
const known = new URL("/.well-known/oauth-protected-resource", issuer);
known.searchParams.set("resource", audience);
const resource = await json(known);
assert.equal(resource.resource, audience);
assert.deepEqual(resource.authorization_servers, [issuer]);

// Neither is revoked. One is revoked, by its JWT (RFC 7009); a second later the list says so, and says nothing else.
assert.notDeepEqual(claims.status.status_list, alice.status.status_list);
assert.equal(await isRevoked(claims.status.status_list), false);
assert.equal(await isRevoked(alice.status.status_list), false);
const revoked = await form(metadata.revocation_endpoint, "shop", KEYFOB_CLIENT_SECRET, { token: first });
assert.equal(revoked.status, 200);
await sleep(1_100);
assert.equal(await isRevoked(claims.status.status_list), true);
assert.equal(await isRevoked(alice.status.status_list), false);

// A list of a made-up name is not there.
const unknown = new URL(alice.status.status_list.uri);
unknown.pathname = unknown.pathname.replace(/.$/, (digit) => (digit === "0" ? "1" : "0"));
assert.equal((await fetch(unknown)).status, 404);

console.log("jose checks tokens, and sees a revocation in the status list");
