"""Where the gateway is for a test, and a person who logs in and allows: the test itself, over stdin and stdout."""
import os
import sys

import requests
from requests.adapters import HTTPAdapter

ISSUER = "https://localhost:8443"
CALLBACK = "https://app.example/callback"
SERVER_CALLBACK = "https://server.example/callback"
CLIENT_SECRET = os.environ["TEST_CLIENT_SECRET"]
PASSWORD = os.environ["TEST_USER_PASSWORD"]
PRIVATE_KEY = os.environ["TEST_CLIENT_KEY"]


class Gateway(HTTPAdapter):
    """Takes what is for the issuer to the port of the test, as a proxy with TLS in front of it would."""

    def send(self, request, **arguments):
        request.url = request.url.replace(ISSUER, f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}", 1)
        request.headers["Host"] = "localhost:8443"
        request.headers["X-Forwarded-Proto"] = "https"
        return super().send(request, **arguments)


def at_gateway(session):
    session.mount(ISSUER, Gateway())
    return session


def allow(url):
    """What a person's browser ends at."""
    print(f"AUTHORIZE {url}", flush=True)
    return sys.stdin.readline().strip()


METADATA = at_gateway(requests.Session()).get(f"{ISSUER}/.well-known/oauth-authorization-server").json()
AUTHORIZE, TOKEN = METADATA["authorization_endpoint"], METADATA["token_endpoint"]
