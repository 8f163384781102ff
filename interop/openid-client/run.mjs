// openid-client drives every endpoint of OAuth, found by discovery. KEYFOB_CLIENT_SECRET is an API key of
// the client "shop".
import assert from "node:assert/strict";
import * as client from "openid-client";

const { KEYFOB_URL, KEYFOB_CLIENT_SECRET, KEYFOB_REFRESH_TOKEN, KEYFOB_SUBJECT_TOKEN } = process.env;
const { KEYFOB_ADMIN_KEY } = process.env;

const config = await client.discovery(
  new URL(KEYFOB_URL),
  "shop",
  undefined,
  client.ClientSecretBasic(KEYFOB_CLIENT_SECRET),
  // The server under test speaks plain HTTP on the loopback.
  { algorithm: "oauth2", execute: [client.allowInsecureRequests] },
);

const own = await client.clientCredentialsGrant(config, { scope: "read" });
assert.equal(own.scope, "read");
assert.ok(own.expiresIn() > 0);

const exchanged = await client.genericGrantRequest(
  config,
  "urn:ietf:params:oauth:grant-type:token-exchange",
  {
    subject_token: KEYFOB_SUBJECT_TOKEN,
    subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
  },
);
const active = await client.tokenIntrospection(config, exchanged.access_token);
assert.equal(active.active, true);
assert.equal(active.sub, "alice");

await client.tokenRevocation(config, own.access_token, { token_type_hint: "refresh_token" });
assert.equal((await client.tokenIntrospection(config, own.access_token)).active, false);

const refreshed = await client.refreshTokenGrant(config, KEYFOB_REFRESH_TOKEN, { scope: "read" });
assert.equal(refreshed.scope, "read");
await assert.rejects(
  client.refreshTokenGrant(config, "nonsense"),
  (error) => error instanceof client.ResponseBodyError && error.error === "invalid_grant",
);
console.log("openid-client: discovery, client credentials, token exchange, introspection, revocation, refresh");

// The same client signs with a key of its own, which the administrator has registered.
const curve = { name: "ECDSA", namedCurve: "P-256" };
const { privateKey, publicKey } = await crypto.subtle.generateKey(curve, false, ["sign", "verify"]);
const issued = await fetch(`${KEYFOB_URL}/v1/tokens`, {
  method: "POST",
  headers: { authorization: `Bearer ${KEYFOB_ADMIN_KEY}`, "content-type": "application/json" },
  body: JSON.stringify({
    kind: "api-key",
    client: "shop",
    audience: ["shop"],
    scopes: ["read", "keyfob:introspect"],
    client_key: await crypto.subtle.exportKey("jwk", publicKey),
  }),
});
const { id: kid } = await issued.json();
const signing = await client.discovery(
  new URL(KEYFOB_URL),
  "shop",
  { token_endpoint_auth_signing_alg: "ES256" },
  client.PrivateKeyJwt({ key: privateKey, kid }),
  { algorithm: "oauth2", execute: [client.allowInsecureRequests] },
);
const signed = await client.clientCredentialsGrant(signing, { scope: "read" });
assert.equal((await client.tokenIntrospection(signing, signed.access_token)).client_id, "shop");
await client.tokenRevocation(signing, signed.access_token);
assert.equal((await client.tokenIntrospection(signing, signed.access_token)).active, false);
const next = await client.refreshTokenGrant(signing, refreshed.refresh_token);
assert.ok(next.access_token);
console.log("openid-client: private_key_jwt");
