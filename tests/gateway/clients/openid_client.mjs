// Every grant with openid-client.
import * as client from "openid-client";
import { CALLBACK, CLIENT_SECRET, ISSUER, PASSWORD, SERVER_CALLBACK, allow, assert, done, fetchAsAdministrator, fetchAtGateway, opens, privateKey } from "./place.mjs";

const discover = (id, authentication) =>
  client.discovery(new URL(ISSUER), id, undefined, authentication, { algorithm: "oauth2", [client.customFetch]: fetchAtGateway });

// Authorization code with PKCE: a public client, and one with a secret.
let config, token;
for (const [id, authentication, callback] of [["app", client.None(), CALLBACK], ["server", client.ClientSecretBasic(CLIENT_SECRET), SERVER_CALLBACK]]) {
  config = await discover(id, authentication);
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: callback,
    scope: "notes",
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
  });
  // It checks `state` and `iss` (RFC 9207).
  token = await client.authorizationCodeGrant(config, await allow(url), { pkceCodeVerifier: verifier, expectedState: state });
  assert(token.scope === "notes" && token.expires_in === 3600, token);
  await opens(token.access_token);
  const after = await client.refreshTokenGrant(config, token.refresh_token);
  assert(after.refresh_token !== token.refresh_token, "it rotates");
  token = after;
  await opens(token.access_token);
}

const known = await client.tokenIntrospection(config, token.access_token);
assert(known.active && known.username === "bob", known);
await client.tokenRevocation(config, token.refresh_token);
await opens(token.access_token, 401);

const key = await privateKey();
for (const authentication of [client.ClientSecretBasic(CLIENT_SECRET), client.ClientSecretPost(CLIENT_SECRET), client.ClientSecretJwt(CLIENT_SECRET), client.PrivateKeyJwt(key)]) {
  const one = await discover("server", authentication);
  await opens((await client.clientCredentialsGrant(one, { scope: "notes" })).access_token);
}
await opens((await client.genericGrantRequest(config, "password", { username: "bob", password: PASSWORD, scope: "notes" })).access_token);

// A client that registers (RFC 7591), and reads, replaces and removes its registration (RFC 7592).
const options = { algorithm: "oauth2", [client.customFetch]: fetchAsAdministrator };
const wanted = { client_name: "Reader", "client_name#de": "Leser", redirect_uris: [CALLBACK], grant_types: ["authorization_code", "client_credentials"], scope: "notes", contacts: ["a@app.example"] };
const registered = await client.dynamicClientRegistration(new URL(ISSUER), wanted, undefined, options);
registered[client.customFetch] = fetchAtGateway;
const { client_secret, registration_client_uri, registration_access_token, ...answered } = registered.clientMetadata();
for (const [name, value] of Object.entries(wanted)) assert(JSON.stringify(answered[name]) === JSON.stringify(value), answered);
await opens((await client.clientCredentialsGrant(registered, { scope: "notes" })).access_token);
const manage = (method, body) =>
  client.fetchProtectedResource(registered, registration_access_token, new URL(registration_client_uri), method, body && JSON.stringify(body), new Headers({ "content-type": "application/json" }));
const read = await (await manage("GET")).json();
assert(read.client_id === answered.client_id && read.client_name === "Reader" && read.registration_access_token === registration_access_token, read);
const replaced = await (await manage("PUT", { client_id: answered.client_id, client_secret, ...wanted, client_name: "Reader 2" })).json();
assert(replaced.client_name === "Reader 2" && replaced.scope === "notes", replaced);
await opens((await client.clientCredentialsGrant(registered, { scope: "notes" })).access_token);
assert((await manage("DELETE")).status === 204, "removed");
try {
  await manage("GET");
  throw new Error("it is still there");
} catch (refusal) {
  // The library reads the challenge.
  assert(refusal.cause?.[0]?.scheme === "bearer" && refusal.cause[0].parameters.error === "invalid_token", String(refusal));
}
done();
