// Every grant with oauth4webapi, and its check of JWT access tokens (RFC 9068).
import * as oauth from "oauth4webapi";
import { CALLBACK, CLIENT_SECRET, ISSUER, OTHER_SECRET, PASSWORD, SERVER_CALLBACK, allow, assert, done, fetchAtGateway, opens, privateKey } from "./place.mjs";

const options = { [oauth.customFetch]: fetchAtGateway };
const issuer = new URL(ISSUER);
const server = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...options }));

// Authorization code with PKCE: a public client, and one with a secret.
let client, proof, token;
for (const [id, authentication, callback] of [["app", oauth.None(), CALLBACK], ["server", oauth.ClientSecretPost(CLIENT_SECRET), SERVER_CALLBACK]]) {
  [client, proof] = [{ client_id: id }, authentication];
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint);
  const parameters = { client_id: id, redirect_uri: callback, response_type: "code", scope: "notes", state, code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256" };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  const answer = oauth.validateAuthResponse(server, client, await allow(url), state);
  const response = await oauth.authorizationCodeGrantRequest(server, client, authentication, answer, callback, verifier, options);
  token = await oauth.processAuthorizationCodeResponse(server, client, response);
  await opens(token.access_token);
  const refreshed = await oauth.refreshTokenGrantRequest(server, client, authentication, token.refresh_token, options);
  token = await oauth.processRefreshTokenResponse(server, client, refreshed);
  await opens(token.access_token);
}

const known = await oauth.processIntrospectionResponse(server, client, await oauth.introspectionRequest(server, client, proof, token.access_token, options));
assert(known.active && known.username === "bob", known);
await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, proof, token.access_token, options));
await opens(token.access_token, 401);

const key = await privateKey();
for (const authentication of [oauth.ClientSecretBasic(CLIENT_SECRET), oauth.ClientSecretJwt(CLIENT_SECRET), oauth.PrivateKeyJwt(key)]) {
  const response = await oauth.clientCredentialsGrantRequest(server, client, authentication, { scope: "notes" }, options);
  await opens((await oauth.processClientCredentialsResponse(server, client, response)).access_token);
}
const generic = await oauth.genericTokenEndpointRequest(server, client, proof, "password", { username: "bob", password: PASSWORD, scope: "notes" }, options);
await opens((await oauth.processGenericTokenEndpointResponse(server, client, generic)).access_token);

// A JWT access token, as somebody else's resource server would check it.
const other = { client_id: "other" };
const response = await oauth.clientCredentialsGrantRequest(server, other, oauth.ClientSecretBasic(OTHER_SECRET), { scope: "notes" }, options);
const signed = await oauth.processClientCredentialsResponse(server, other, response);
const request = new Request(`${ISSUER}/api/notes`, { headers: { authorization: `Bearer ${signed.access_token}` } });
const claims = await oauth.validateJwtAccessToken(server, request, ISSUER, options);
assert(claims.client_id === "other" && claims.scope === "notes", claims);
done();
