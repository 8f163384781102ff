"""A service that demands a bearer token with the scope "read". It asks keyfob about each token."""

import base64
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlencode
from urllib.request import Request, urlopen

KEYFOB = os.environ.get("KEYFOB_URL", "http://127.0.0.1:8700")
SECRET = os.environ["KEYFOB_CLIENT_SECRET"]  # the API key of the client "shop"


def introspect(token):
    """Returns the claims of an active token, or None."""
    basic = base64.b64encode(f"shop:{SECRET}".encode()).decode()
    body = urlencode({"token": token}).encode()
    headers = {"Authorization": f"Basic {basic}"}
    with urlopen(Request(f"{KEYFOB}/oauth2/introspect", body, headers), timeout=3) as answer:
        claims = json.load(answer)
    # A token that is bound to a key (cnf) may be stolen, as this service checks no proofs of possession.
    return claims if claims["active"] and "cnf" not in claims else None


class Page(BaseHTTPRequestHandler):
    def do_GET(self):
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            return self.answer(401, {"WWW-Authenticate": "Bearer"})
        try:
            claims = introspect(token)
        except OSError:  # keyfob cannot tell: refuse, and let the client come back
            return self.answer(503, {"Retry-After": "1"})
        if claims is None:
            return self.answer(401, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        if "read" not in claims.get("scope", "").split():
            challenge = 'Bearer error="insufficient_scope", scope="read"'
            return self.answer(403, {"WWW-Authenticate": challenge})
        self.answer(200, {}, {"hello": claims["sub"]})

    def answer(self, status, headers, body=None):
        content = json.dumps(body).encode() if body else b""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Page).serve_forever()
