// oauth4webapi drives tokens that are bound to a key (DPoP, RFC 9449), at a server that demands nonces.
// KEYFOB_CLIENT_SECRET is an API key of the client "shop", KEYFOB_PUBLIC_REFRESH_TOKEN a refresh token of the public
// client "spa".
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";

const { KEYFOB_URL, KEYFOB_CLIENT_SECRET, KEYFOB_PUBLIC_REFRESH_TOKEN } = process.env;
// The server under test speaks plain HTTP on the loopback.
const insecure = { [oauth.allowInsecureRequests]: true };
const shop = { client_id: "shop" };
const spa = { client_id: "spa" };
const secret = oauth.ClientSecretBasic(KEYFOB_CLIENT_SECRET);

const issuer = new URL(KEYFOB_URL);
const found = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: "oauth2" });
const server = await oauth.processDiscoveryResponse(issuer, found);
assert.ok(server.dpop_signing_alg_values_supported.includes("ES256"));

// The thumbprint of a key (RFC 7638), as the library computes it.
const dpop = async (client, algorithm = "ES256") => {
  const handle = oauth.DPoP(client, await oauth.generateKeyPair(algorithm));
  return { handle, thumbprint: await handle.calculateThumbprint() };
};

// Asks once, and again with the nonce of the answer, as the library tells to do.
let refusedForNonce = 0;
async function withNonce(ask) {
  try {
    return await ask();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    refusedForNonce += 1;
    return ask();
  }
}

const credentials = (handle) =>
  withNonce(async () => {
    const form = new URLSearchParams({ scope: "read" });
    const options = { ...insecure, DPoP: handle };
    const response = await oauth.clientCredentialsGrantRequest(server, shop, secret, form, options);
    return oauth.processClientCredentialsResponse(server, shop, response);
  });

const refresh = (bearer, handle) =>
  withNonce(async () => {
    const options = { ...insecure, DPoP: handle };
    const response = await oauth.refreshTokenGrantRequest(server, spa, oauth.None(), bearer, options);
    return oauth.processRefreshTokenResponse(server, spa, response);
  });

const introspect = async (bearer) => {
  const response = await oauth.introspectionRequest(server, shop, secret, bearer, insecure);
  return oauth.processIntrospectionResponse(server, shop, response);
};

const isInvalidGrant = (error) =>
  error instanceof oauth.ResponseBodyError && error.error === "invalid_grant";

// An access token is bound to the key of the proof, for every type of key.
for (const algorithm of ["ES256", "Ed25519", "PS256", "RS256"]) {
  const { handle, thumbprint } = await dpop(shop, algorithm);
  const own = await credentials(handle);
  // The library compares the type without regard to case, and answers in lower case.
  assert.equal(own.token_type, "dpop");
  const active = await introspect(own.access_token);
  assert.equal(active.token_type, "DPoP");
  assert.equal(active.cnf.jkt, thumbprint);
  // The next proof has the nonce of the answer: no refusal comes first.
  const before = refusedForNonce;
  await credentials(handle);
  assert.equal(refusedForNonce, before);
}
assert.equal(refusedForNonce, 4);

// A refresh token of a public client is bound at its first proof.
const owner = await dpop(spa);
const first = await refresh(KEYFOB_PUBLIC_REFRESH_TOKEN, owner.handle);
assert.equal(first.token_type, "dpop");
assert.equal((await introspect(first.access_token)).cnf.jkt, owner.thumbprint);
const thief = await dpop(spa);
await assert.rejects(refresh(first.refresh_token, thief.handle), isInvalidGrant);
await assert.rejects(refresh(first.refresh_token, undefined), isInvalidGrant);
const second = await refresh(first.refresh_token, owner.handle);
assert.notEqual(second.refresh_token, first.refresh_token);
assert.equal((await introspect(second.access_token)).cnf.jkt, owner.thumbprint);
console.log("oauth4webapi: DPoP with nonces, client credentials, introspection, refresh of a public client");
