// openid-client drives tokens that are bound to a key (DPoP, RFC 9449): at a server that demands nonces, and at a page
// behind nginx. The library sends a request again with the nonce by itself. KEYFOB_CLIENT_SECRET is an API key of the
// client "shop", KEYFOB_PUBLIC_REFRESH_TOKEN a refresh token of the public client "spa".
import assert from "node:assert/strict";
import * as client from "openid-client";

const { KEYFOB_URL, GATEWAY_URL, KEYFOB_CLIENT_SECRET, KEYFOB_PUBLIC_REFRESH_TOKEN } = process.env;

// The server under test speaks plain HTTP on the loopback.
const options = { algorithm: "oauth2", execute: [client.allowInsecureRequests] };
const discover = (name, authentication) =>
  client.discovery(new URL(KEYFOB_URL), name, undefined, authentication, options);
const shop = await discover("shop", client.ClientSecretBasic(KEYFOB_CLIENT_SECRET));
const spa = await discover("spa", client.None());
const page = new URL("/page", GATEWAY_URL);

const handle = async (config) => client.getDPoPHandle(config, await client.randomDPoPKeyPair());
const fetchPage = (bearer, DPoP, method = "GET") =>
  client.fetchProtectedResource(shop, bearer, page, method, undefined, undefined, { DPoP });
const isRefused = (error) =>
  error instanceof client.WWWAuthenticateChallengeError && error.status === 401;

const DPoP = await handle(shop);
const own = await client.clientCredentialsGrant(shop, { scope: "read" }, { DPoP });
assert.equal(own.token_type, "dpop");
const active = await client.tokenIntrospection(shop, own.access_token);
assert.equal(active.cnf.jkt, await DPoP.calculateThumbprint());

for (const method of ["GET", "POST", "GET"]) {
  const response = await fetchPage(own.access_token, DPoP, method);
  assert.equal(response.status, 200);
  assert.equal((await response.json())["x-token-client"], "shop");
}
// The token alone, or with the key of somebody else, is worth nothing.
await assert.rejects(fetchPage(own.access_token, undefined), isRefused);
await assert.rejects(fetchPage(own.access_token, await handle(shop)), isRefused);

const owner = await handle(spa);
const first = await client.refreshTokenGrant(spa, KEYFOB_PUBLIC_REFRESH_TOKEN, undefined, { DPoP: owner });
assert.equal(first.token_type, "dpop");
const isInvalidGrant = (error) =>
  error instanceof client.ResponseBodyError && error.error === "invalid_grant";
for (const DPoP of [undefined, await handle(spa)]) {
  const refreshed = client.refreshTokenGrant(spa, first.refresh_token, undefined, { DPoP });
  await assert.rejects(refreshed, isInvalidGrant);
}
const second = await client.refreshTokenGrant(spa, first.refresh_token, undefined, { DPoP: owner });
assert.equal((await fetchPage(second.access_token, owner)).status, 200);
console.log("openid-client: DPoP with nonces, client credentials, a page behind nginx, refresh of a public client");
