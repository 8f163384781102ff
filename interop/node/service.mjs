// A service that demands a bearer token with the scope "read". It asks keyfob about each token.

import { createServer } from "node:http";

const keyfob = process.env.KEYFOB_URL ?? "http://127.0.0.1:8700";
const secret = process.env.KEYFOB_CLIENT_SECRET; // the API key of the client "shop"

/** Returns the claims of an active token, or null. Throws if keyfob cannot tell. */
async function introspect(token) {
  const basic = Buffer.from(`shop:${secret}`).toString("base64");
  const answer = await fetch(`${keyfob}/oauth2/introspect`, {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ token }),
    signal: AbortSignal.timeout(3000),
  });
  if (!answer.ok) throw new Error(`keyfob answers ${answer.status}`);
  const claims = await answer.json();
  // A token that is bound to a key (cnf) may be stolen, as this service checks no proofs of possession.
  return claims.active && !claims.cnf ? claims : null;
}

const server = createServer(async (request, response) => {
  const refuse = (status, headers) => response.writeHead(status, headers).end();
  const [, token] = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? "") ?? [];
  if (!token) return refuse(401, { "www-authenticate": "Bearer" });
  let claims;
  try {
    claims = await introspect(token);
  } catch {
    return refuse(503, { "retry-after": "1" }); // refuse, and let the client come back
  }
  if (!claims) return refuse(401, { "www-authenticate": 'Bearer error="invalid_token"' });
  if (!(claims.scope ?? "").split(" ").includes("read")) {
    const challenge = 'Bearer error="insufficient_scope", scope="read"';
    return refuse(403, { "www-authenticate": challenge });
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify({ hello: claims.sub }));
});

server.listen(Number(process.env.PORT ?? 9000), "127.0.0.1");
