"""Every grant with Authlib."""
from authlib.common.security import generate_token
from authlib.integrations.requests_client import AssertionSession, OAuth2Session
from authlib.oauth2.rfc7523 import ClientSecretJWT
from place import *


def opens(session, expected=200):
    response = session.get(f"{ISSUER}/api/notes")
    assert response.status_code == expected, (response.status_code, response.text)


def session(client, **arguments):
    return at_gateway(OAuth2Session(client, scope="notes", **arguments))


# Authorization code with PKCE: a public client, and one with a secret.
for client, secret, callback in [("app", None, CALLBACK), ("server", CLIENT_SECRET, SERVER_CALLBACK)]:
    method = "none" if secret is None else "client_secret_basic"
    one = session(client, client_secret=secret, redirect_uri=callback, token_endpoint_auth_method=method, code_challenge_method="S256")
    verifier = generate_token(48)
    url, state = one.create_authorization_url(AUTHORIZE, code_verifier=verifier)
    token = one.fetch_token(TOKEN, authorization_response=allow(url), state=state, code_verifier=verifier)
    assert token["scope"] == "notes" and token["expires_in"] == 3600, token
    opens(one)
    before = token["refresh_token"]
    after = one.refresh_token(TOKEN, refresh_token=before)
    assert after["refresh_token"] != before, "it rotates"
    opens(one)

# Introspection and revocation.
known = one.introspect_token(METADATA["introspection_endpoint"], token=after["access_token"]).json()
assert known["active"] and known["username"] == "bob" and known["client_id"] == "server", known
one.revoke_token(METADATA["revocation_endpoint"], token=after["access_token"]).raise_for_status()
opens(one, 401)

# Client credentials with every way to prove oneself but `private_key_jwt`, for which Authlib takes RSA keys only.
for method in ["client_secret_basic", "client_secret_post", ClientSecretJWT(TOKEN)]:
    one = session("server", client_secret=CLIENT_SECRET, token_endpoint_auth_method=method)
    if not isinstance(method, str):
        one.register_client_auth_method(method)
        one.token_endpoint_auth_method = method.name
    one.fetch_token(TOKEN, grant_type="client_credentials")
    opens(one)

# The password grant.
one = session("server", client_secret=CLIENT_SECRET)
one.fetch_token(TOKEN, username="bob", password=PASSWORD)
opens(one)

# The implicit grant.
one = session("app", redirect_uri=CALLBACK)
url, state = one.create_authorization_url(AUTHORIZE, response_type="token")
one.fetch_token(authorization_response=allow(url), state=state)
opens(one)

# A JWT as grant (RFC 7523), for a user who has allowed the client before.
one = at_gateway(
    AssertionSession(
        token_endpoint=TOKEN,
        grant_type=AssertionSession.JWT_BEARER_GRANT_TYPE,
        issuer="server",
        subject="bob",
        audience=ISSUER,
        scope="notes",
        key=PRIVATE_KEY,
        header={"alg": "ES256"},
    )
)
opens(one)
print("DONE")
