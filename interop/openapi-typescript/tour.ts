// The tour with a client that is made from the OpenAPI document: issue, validate, list, revoke, refuse.
// Usage: node built/tour.js URL KEY

import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./keyfob.js";

const [url, key] = process.argv.slice(2);
assert(url && key, "usage: node built/tour.js URL KEY");

const keyfob = createClient<paths>({
  baseUrl: url,
  headers: { Authorization: `Bearer ${key}` },
  // `bind` is an object whose members are parameters.
  querySerializer: { object: { style: "form", explode: true } },
});

type Verdict = components["schemas"]["ValidateAnswer"];
type Issued = components["schemas"]["IssuedBody"];

/** Returns the data of an answer that is not a failure. */
function ok<T>(answer: { data?: T; error?: { detail?: string | null; error?: string } }): T {
  assert(answer.data !== undefined, JSON.stringify(answer.error));
  return answer.data;
}

/** Returns the only member of what may be an array. */
function one<T extends object>(answer: T | unknown[]): T {
  assert(!Array.isArray(answer));
  return answer as T;
}

async function validate(token: string): Promise<Verdict> {
  const body = { token, scopes: ["read"], audience: "shop" };
  return one<Verdict>(ok(await keyfob.POST("/v1/validate", { body })));
}

// Issue.
const body = { subject: "alice", client: "web", scopes: ["read"], audience: ["shop"], ttl: "15m" };
const issued = one<Issued>(ok(await keyfob.POST("/v1/tokens", { body })));
assert.equal(issued.state, "active");

// Validate.
const verdict = await validate(issued.bearer);
assert.equal(verdict.ok, true);
assert.equal(verdict.token?.subject, "alice");

// List, and count.
const query = { filter: "subject:$who", bind: { "bind.who": "alice" } };
const page = ok(await keyfob.GET("/v1/tokens", { params: { query: { ...query, limit: 10 } } }));
assert.deepEqual(page.tokens.map((token) => token.id), [issued.id]);
const { count } = ok(await keyfob.GET("/v1/tokens/count", { params: { query } }));
assert.equal(count, 1);

// Introspect, as a resource server does.
const bodySerializer = (form: Record<string, unknown>) =>
  new URLSearchParams(form as Record<string, string>);
const introspected = ok(
  await keyfob.POST("/oauth2/introspect", {
    body: { token: issued.bearer },
    headers: { "Content-Type": "application/x-www-form-urlencoded" },
    bodySerializer,
  }),
);
// It is a text if the request accepts a signed JWT (RFC 9701).
assert(typeof introspected !== "string");
assert.equal(introspected.active, true);
assert.equal(introspected.sub, "alice");

// Revoke.
const path = { id: issued.id };
const revoked = ok(
  await keyfob.DELETE("/v1/tokens/{id}", { params: { path, query: { reason: "the tour ends" } } }),
);
assert.equal(revoked.outcome, "revoked");
assert.equal(revoked.revocation?.reason, "the tour ends");

// Refuse.
const refused = await validate(issued.bearer);
assert.equal(refused.ok, false);
assert.equal(refused.code, "token_revoked");

// A failure is a value with a stable code.
const { error, response } = await keyfob.GET("/v1/tokens/{id}", {
  params: { path: { id: "tok_00d1h88n000000000000000001" } },
});
assert.equal(response.status, 404);
assert.equal(error?.code, "token_not_found");

console.log(`issued, validated, listed, revoked and refused ${issued.id}`);
