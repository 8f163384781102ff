// oauth4webapi drives every endpoint of OAuth: discovery, client credentials, refresh, token exchange,
// introspection and revocation. KEYFOB_CLIENT_SECRET is an API key of the client "shop", and
// KEYFOB_JWT_REFRESH_TOKEN a refresh token for a service that takes JWTs and for one that does not.
import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";

const { KEYFOB_URL, KEYFOB_CLIENT_SECRET, KEYFOB_REFRESH_TOKEN, KEYFOB_SUBJECT_TOKEN } = process.env;
const { KEYFOB_JWT_REFRESH_TOKEN, KEYFOB_ADMIN_KEY } = process.env;
// The server under test speaks plain HTTP on the loopback.
const options = { [oauth.allowInsecureRequests]: true };
const client = { client_id: "shop" };

const issuer = new URL(KEYFOB_URL);
const found = await oauth.discoveryRequest(issuer, { ...options, algorithm: "oauth2" });
const server = await oauth.processDiscoveryResponse(issuer, found);

async function run(name, authentication) {
  const call = async (request, process, ...args) => {
    const response = await request(server, client, authentication, ...args, options);
    return process(server, client, response);
  };

  const own = await call(
    oauth.clientCredentialsGrantRequest,
    oauth.processClientCredentialsResponse,
    new URLSearchParams({ scope: "read" }),
  );
  assert.equal(own.token_type, "bearer");
  assert.equal(own.scope, "read");

  const exchanged = await call(
    oauth.genericTokenEndpointRequest,
    oauth.processGenericTokenEndpointResponse,
    "urn:ietf:params:oauth:grant-type:token-exchange",
    new URLSearchParams({
      subject_token: KEYFOB_SUBJECT_TOKEN,
      subject_token_type: "urn:ietf:params:oauth:token-type:access_token",
      scope: "read",
    }),
  );
  assert.equal(exchanged.issued_token_type, "urn:ietf:params:oauth:token-type:access_token");

  const introspect = (token) =>
    call(oauth.introspectionRequest, oauth.processIntrospectionResponse, token);
  const active = await introspect(exchanged.access_token);
  assert.equal(active.active, true);
  assert.equal(active.sub, "alice");
  assert.equal(active.act.sub, "shop");

  assert.equal((await introspect(own.access_token)).active, true);
  await call(oauth.revocationRequest, (_, __, response) => oauth.processRevocationResponse(response), own.access_token);
  assert.deepEqual({ ...(await introspect(own.access_token)) }, { active: false });
  console.log(`oauth4webapi: ${name}`);
  return call;
}

await run("client_secret_basic", oauth.ClientSecretBasic(KEYFOB_CLIENT_SECRET));
const call = await run("client_secret_post", oauth.ClientSecretPost(KEYFOB_CLIENT_SECRET));

// A client may sign with a key of its own instead: the administrator registers the public key, and its name is the
// id of the API key.
for (const algorithm of ["ES256", "EdDSA", "RS256", "PS256"]) {
  assert.ok(server.token_endpoint_auth_signing_alg_values_supported.includes(algorithm));
  const modulus = { modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) };
  const curve = algorithm === "ES256" ? { name: "ECDSA", namedCurve: "P-256" } : { name: "Ed25519" };
  const rsa = algorithm === "RS256" ? "RSASSA-PKCS1-v1_5" : "RSA-PSS";
  const kind = algorithm.endsWith("256") && algorithm !== "ES256" ? { name: rsa, hash: "SHA-256", ...modulus } : curve;
  const { privateKey, publicKey } = await crypto.subtle.generateKey(kind, false, ["sign", "verify"]);
  const jwk = await crypto.subtle.exportKey("jwk", publicKey);
  const body = {
    kind: "api-key",
    client: "shop",
    audience: ["shop"],
    scopes: ["read", "write", "keyfob:introspect"],
    client_key: { ...jwk, alg: algorithm },
  };
  const issued = await fetch(`${KEYFOB_URL}/v1/tokens`, {
    method: "POST",
    headers: { authorization: `Bearer ${KEYFOB_ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.equal(issued.status, 201);
  const { id } = await issued.json();
  await run(`private_key_jwt ${algorithm}`, oauth.PrivateKeyJwt({ key: privateKey, kid: id }));
  await assert.rejects(
    run("without its name", oauth.PrivateKeyJwt(privateKey)),
    (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.status === 401,
  );
}

const refreshed = await call(
  oauth.refreshTokenGrantRequest,
  oauth.processRefreshTokenResponse,
  KEYFOB_REFRESH_TOKEN,
);
assert.ok(refreshed.access_token && refreshed.refresh_token);
assert.notEqual(refreshed.refresh_token, KEYFOB_REFRESH_TOKEN);

// A refresh token gives a JWT for the service that the request names (RFC 8707), and the library checks it.
const orders = "https://orders.example";
const refreshFor = async (token, parameters) => {
  const more = { ...options, additionalParameters: new URLSearchParams(parameters) };
  const secret = oauth.ClientSecretBasic(KEYFOB_CLIENT_SECRET);
  const response = await oauth.refreshTokenGrantRequest(server, client, secret, token, more);
  return oauth.processRefreshTokenResponse(server, client, response);
};
const forOrders = await refreshFor(KEYFOB_JWT_REFRESH_TOKEN, { resource: orders });
const request = new Request(orders, { headers: { authorization: `Bearer ${forOrders.access_token}` } });
const claims = await oauth.validateJwtAccessToken(server, request, orders, options);
assert.deepEqual([claims.sub, claims.client_id, claims.scope], ["alice", "shop", "read write"]);
const forShop = await refreshFor(forOrders.refresh_token, { audience: "shop" });
assert.ok(!forShop.access_token.includes("."));
await assert.rejects(
  refreshFor(forShop.refresh_token, {}),
  (error) => error instanceof oauth.ResponseBodyError && error.error === "invalid_target",
);

// Errors are those of the standard, which the library reads.
await assert.rejects(
  call(oauth.refreshTokenGrantRequest, oauth.processRefreshTokenResponse, "nonsense"),
  (error) => error instanceof oauth.ResponseBodyError && error.error === "invalid_grant",
);
const wrong = await oauth.clientCredentialsGrantRequest(
  server,
  client,
  oauth.ClientSecretBasic("wrong"),
  new URLSearchParams(),
  options,
);
await assert.rejects(
  oauth.processClientCredentialsResponse(server, client, wrong),
  (error) => error instanceof oauth.WWWAuthenticateChallengeError && error.status === 401,
);
console.log("oauth4webapi: refresh, errors");
