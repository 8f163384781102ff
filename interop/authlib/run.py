"""Authlib drives every endpoint of OAuth. KEYFOB_CLIENT_SECRET is an API key of the client "shop"."""

import os
import time

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url
from joserfc.jwk import ECKey, RSAKey

# The server under test speaks plain HTTP on the loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"
url = os.environ["KEYFOB_URL"]
secret = os.environ["KEYFOB_CLIENT_SECRET"]

metadata = AuthorizationServerMetadata(requests.get(get_well_known_url(url, external=True)).json())
assert metadata["issuer"] == url, metadata
metadata.validate_grant_types_supported()
metadata.validate_token_endpoint_auth_methods_supported()

for method in ["client_secret_basic", "client_secret_post"]:
    session = OAuth2Session(
        "shop",
        secret,
        token_endpoint_auth_method=method,
        revocation_endpoint_auth_method=method,
    )
    endpoint = metadata["token_endpoint"]

    def introspect(token):
        answer = session.introspect_token(metadata["introspection_endpoint"], token=token)
        answer.raise_for_status()
        return answer.json()

    own = session.fetch_token(endpoint, grant_type="client_credentials", scope="read")
    assert own["scope"] == "read", own

    exchanged = session.fetch_token(
        endpoint,
        grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token=os.environ["KEYFOB_SUBJECT_TOKEN"],
        subject_token_type="urn:ietf:params:oauth:token-type:access_token",
    )
    active = introspect(exchanged["access_token"])
    assert active["active"] and active["sub"] == "alice", active

    answer = session.revoke_token(
        metadata["revocation_endpoint"], token=own["access_token"], token_type_hint="access_token"
    )
    assert answer.status_code == 200, answer.text
    assert introspect(own["access_token"]) == {"active": False}
    print(f"Authlib: {method}")


class ShortLived(PrivateKeyJWT):
    """Authlib signs for an hour, and uses claims that it is given again with the same jti."""

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 60}
        return super().sign(auth, token_endpoint)


# A client may sign with a key of its own: its name is the id of the API key that has the public key.
for algorithm, key in [("ES256", ECKey.generate_key("P-256")), ("RS256", RSAKey.generate_key(2048))]:
    grant = {"kind": "api-key", "client": "shop", "audience": ["shop"]}
    grant["scopes"] = ["read", "keyfob:introspect"]
    grant["client_key"] = {**key.as_dict(private=False), "alg": algorithm}
    admin = {"authorization": "Bearer " + os.environ["KEYFOB_ADMIN_KEY"]}
    registered = requests.post(f"{url}/v1/tokens", json=grant, headers=admin)
    assert registered.status_code == 201, registered.text
    signing = OAuth2Session("shop", key, token_endpoint_auth_method="private_key_jwt")
    name = {"kid": registered.json()["id"]}
    signing.register_client_auth_method(ShortLived(endpoint, headers=name, alg=algorithm))
    own = signing.fetch_token(endpoint, grant_type="client_credentials", scope="read")
    assert introspect(own["access_token"])["client_id"] == "shop"
    again = signing.fetch_token(endpoint, grant_type="client_credentials", scope="read")
    assert again["access_token"] != own["access_token"]
    print(f"Authlib: private_key_jwt {algorithm}")

refreshed = session.refresh_token(endpoint, refresh_token=os.environ["KEYFOB_REFRESH_TOKEN"])
assert refreshed["refresh_token"] != os.environ["KEYFOB_REFRESH_TOKEN"]
try:
    session.refresh_token(endpoint, refresh_token="nonsense")
    raise AssertionError("a refresh token that is nonsense was taken")
except OAuthError as error:
    assert error.error == "invalid_grant", error
print("Authlib: refresh, errors")
