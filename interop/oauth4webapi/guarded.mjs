// A client with a key of its own (DPoP, RFC 9449) asks for a page behind a gateway: oauth4webapi as it ships. Then a
// thief does, who has the token and has seen proofs. keyfob demands nonces. KEYFOB_CLIENT_SECRET is an API key of the
// client "shop". What passes is counted: the page has seen exactly that.
import assert from "node:assert/strict";
import http from "node:http";
import * as oauth from "oauth4webapi";

const { KEYFOB_URL, GATEWAY_URL, KEYFOB_CLIENT_SECRET } = process.env;
const insecure = { [oauth.allowInsecureRequests]: true };
const client = { client_id: "shop" };
const DPoP = oauth.DPoP(client, await oauth.generateKeyPair("ES256"));
const page = new URL("/page", GATEWAY_URL);

async function withNonce(ask) {
  try {
    return await ask();
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return ask();
  }
}

const issuer = new URL(KEYFOB_URL);
const found = await oauth.discoveryRequest(issuer, { ...insecure, algorithm: "oauth2" });
const server = await oauth.processDiscoveryResponse(issuer, found);
const { access_token: token } = await withNonce(async () => {
  const secret = oauth.ClientSecretBasic(KEYFOB_CLIENT_SECRET);
  const form = new URLSearchParams({ scope: "read" });
  const options = { ...insecure, DPoP };
  const response = await oauth.clientCredentialsGrantRequest(server, client, secret, form, options);
  return oauth.processClientCredentialsResponse(server, client, response);
});

// Asks as the owner. Returns the headers that were sent, too.
let passed = 0;
async function ask(method, url) {
  let sent;
  const fetching = (where, init) => {
    sent = Object.fromEntries(new Headers(init.headers));
    return fetch(where, init);
  };
  const options = { ...insecure, DPoP, [oauth.customFetch]: fetching };
  const response = await withNonce(() =>
    oauth.protectedResourceRequest(token, method, url, new Headers(), null, options),
  );
  assert.equal(response.status, 200, `${method} ${url}: ${response.status}`);
  passed += 1;
  return { sent, identity: await response.json() };
}

const withQuery = new URL("/page?of=the%20client", GATEWAY_URL);
for (const [method, url] of [["GET", page], ["POST", page], ["GET", withQuery]]) {
  const { identity } = await ask(method, url);
  assert.equal(identity["x-token-client"], "shop");
}

// Makes a proof that nobody has used yet, for any request, with a nonce that counts. The request itself goes nowhere.
let nonce;
async function unusedProof(method, url) {
  let headers;
  const nowhere = async (_, init) => {
    headers = Object.fromEntries(new Headers(init.headers));
    return new Response("{}", { headers: { "dpop-nonce": nonce } });
  };
  const options = { ...insecure, DPoP, [oauth.customFetch]: nowhere };
  // The library learns the nonce of a site from its answer.
  for (const _ of [1, 2]) {
    await oauth.protectedResourceRequest(token, method, new URL(url), new Headers(), null, options);
  }
  return headers.dpop;
}

// A request with exactly these headers. fetch would not send some of them.
const raw = (method, path, headers) =>
  new Promise((resolve, reject) => {
    const { hostname, port } = page;
    const request = http.request({ hostname, port, method, path, headers, agent: false });
    request.on("response", (response) => {
      response.resume();
      response.on("end", () => resolve(response));
    });
    request.on("error", reject);
    request.end();
  });

const authorization = `DPoP ${token}`;
async function isRefused(about, method, path, headers) {
  const { statusCode } = await raw(method, path, headers);
  assert.ok(statusCode >= 400 && statusCode < 500, `${about}: ${statusCode}`);
}

// A gateway tells the nonce with each refusal of a proof.
({ "dpop-nonce": nonce } = (await raw("GET", "/page", { authorization, dpop: "nonsense" })).headers);
assert.ok(nonce, "a refusal has no nonce");

// The token alone is worth nothing.
await isRefused("as a bearer token", "GET", "/page", { authorization: `Bearer ${token}` });
await isRefused("without a proof", "GET", "/page", { authorization });
const bearer = { authorization: `Bearer ${token}`, dpop: await unusedProof("GET", page) };
await isRefused("with a proof, as a bearer token", "GET", "/page", bearer);

// A proof that was seen counts no more, and for no other request.
const { sent } = await ask("GET", page);
await isRefused("used before", "GET", "/page", { authorization, dpop: sent.dpop });
const unused = await unusedProof("GET", page);
await isRefused("for another method", "POST", "/page", { authorization, dpop: unused });
await isRefused("for another path", "GET", "/other", { authorization, dpop: unused });
await isRefused("twice", "GET", "/page", { authorization, dpop: [unused, unused] });

// A proof that the thief got at a site of theirs, with what describes that site. It has nothing else wrong.
const evil = "http://evil.example/page";
const taken = await unusedProof("GET", evil);
const original = { "X-Original-Method": "GET", "X-Original-URL": evil };
const forwarded = {
  "X-Forwarded-Method": "GET",
  "X-Forwarded-Proto": "http",
  "X-Forwarded-Host": "evil.example",
  "X-Forwarded-Uri": "/page",
};
const forged = {
  "no headers": {},
  "X-Original": original,
  "X-Forwarded": forwarded,
  "both": { ...original, ...forwarded },
  "X-Original twice": { "X-Original-URL": [evil, evil], "X-Original-Method": ["GET", "GET"] },
  "Forwarded": { Forwarded: "host=evil.example;proto=http" },
  "Host": { Host: "evil.example" },
};
for (const [about, more] of Object.entries(forged)) {
  const headers = { authorization, dpop: taken, ...more };
  const before = await raw("GET", "/page", headers);
  const answer = `${about}: ${before.statusCode}`;
  // Some gateways answer for a host that they do not know by themselves. The page has seen nothing of it.
  assert.ok(about === "Host" || (before.statusCode >= 400 && before.statusCode < 500), answer);
}
// The same for a proof of another method.
const forMethod = { authorization, dpop: await unusedProof("DELETE", page) };
for (const name of ["X-Original-Method", "X-Forwarded-Method", "X-HTTP-Method-Override"]) {
  await isRefused(name, "GET", "/page", { ...forMethod, [name]: "DELETE" });
}

// None of this used up what the owner has.
const { statusCode } = await raw("GET", "/page", { authorization, dpop: unused });
assert.equal(statusCode, 200, "the proof that was tried elsewhere");
passed += 1;
console.log(`oauth4webapi: ${passed} requests pass with a proof`);
