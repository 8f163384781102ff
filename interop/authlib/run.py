"""Authlib drives every endpoint of OAuth. KEYFOB_CLIENT_SECRET is an API key of the client "shop"."""

import os

import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata, get_well_known_url

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

refreshed = session.refresh_token(endpoint, refresh_token=os.environ["KEYFOB_REFRESH_TOKEN"])
assert refreshed["refresh_token"] != os.environ["KEYFOB_REFRESH_TOKEN"]
try:
    session.refresh_token(endpoint, refresh_token="nonsense")
    raise AssertionError("a refresh token that is nonsense was taken")
except OAuthError as error:
    assert error.error == "invalid_grant", error
print("Authlib: refresh, errors")
