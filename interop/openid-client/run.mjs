// openid-client drives every endpoint of OAuth, found by discovery. KEYFOB_CLIENT_SECRET is an API key of
// the client "shop".
import assert from "node:assert/strict";
import * as client from "openid-client";

const { KEYFOB_URL, KEYFOB_CLIENT_SECRET, KEYFOB_REFRESH_TOKEN, KEYFOB_SUBJECT_TOKEN } = process.env;

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
