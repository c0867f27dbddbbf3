"""Every grant that requests-oauthlib has."""
from oauthlib.oauth2 import BackendApplicationClient, LegacyApplicationClient, MobileApplicationClient
from place import *
from requests_oauthlib import OAuth2Session


def opens(session, expected=200):
    response = session.get(f"{ISSUER}/api/notes")
    assert response.status_code == expected, (response.status_code, response.text)


# Authorization code with PKCE: a public client, and one with a secret.
for client, secret, callback in [("app", None, CALLBACK), ("server", CLIENT_SECRET, SERVER_CALLBACK)]:
    one = at_gateway(OAuth2Session(client, redirect_uri=callback, scope=["notes"], pkce="S256"))
    url, state = one.authorization_url(AUTHORIZE)
    token = one.fetch_token(TOKEN, authorization_response=allow(url), client_secret=secret, include_client_id=True)
    assert token["scope"] == ["notes"], token
    opens(one)
    proof = {"client_id": client} | ({"client_secret": secret} if secret else {})
    after = one.refresh_token(TOKEN, **proof)
    assert after["refresh_token"] != token["refresh_token"], "it rotates"
    opens(one)

one = at_gateway(OAuth2Session(client=BackendApplicationClient("server", scope=["notes"])))
one.fetch_token(TOKEN, client_id="server", client_secret=CLIENT_SECRET)
opens(one)

one = at_gateway(OAuth2Session(client=LegacyApplicationClient("server", scope=["notes"])))
one.fetch_token(TOKEN, username="bob", password=PASSWORD, client_id="server", client_secret=CLIENT_SECRET)
opens(one)

one = at_gateway(OAuth2Session(client=MobileApplicationClient("app"), redirect_uri=CALLBACK, scope=["notes"]))
url, state = one.authorization_url(AUTHORIZE)
one.token_from_fragment(allow(url))
opens(one)
print("DONE")
