// A client without a secret, in some seventy lines. It keeps tokens in memory only.
export const CLIENT = "tutorial-app";
export const CALLBACK = `${location.origin}/callback`;
const SERVER = { authorize: "/oauth/authorize", token: "/oauth/token", revoke: "/oauth/revoke" };

const base64url = bytes => btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

/** Sends the browser to the authorization server. */
export async function begin(responseType, scope) {
  const state = random();
  const parameters = { response_type: responseType, client_id: CLIENT, redirect_uri: CALLBACK, scope, state };
  sessionStorage.setItem("state", state);
  if (responseType === "code") {
    const verifier = random();
    sessionStorage.setItem("verifier", verifier);
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
    parameters.code_challenge = base64url(new Uint8Array(digest));
    parameters.code_challenge_method = "S256";
  }
  location.assign(`${SERVER.authorize}?${new URLSearchParams(parameters)}`);
}

/** What came back, if it is an answer to what was asked (RFC 9700 §2.1, RFC 9207). */
export function answer() {
  const found = new URLSearchParams(location.hash.length > 1 ? location.hash.slice(1) : location.search);
  // Nobody finds a code or a token in the history.
  history.replaceState(null, "", location.pathname);
  const expected = sessionStorage.getItem("state");
  sessionStorage.removeItem("state");
  if (!expected || found.get("state") !== expected) return { error: "state", error_description: "This is not an answer to what this page has asked." };
  if (found.get("iss") !== location.origin) return { error: "iss", error_description: "Another server has answered." };
  return Object.fromEntries(found);
}

/** Asks the token endpoint. */
export async function token(parameters) {
  const response = await fetch(SERVER.token, { method: "POST", body: new URLSearchParams(parameters) });
  return response.json();
}

/** Swaps the code for a token. */
export function redeem(code) {
  const verifier = sessionStorage.getItem("verifier") ?? "";
  sessionStorage.removeItem("verifier");
  return token({ grant_type: "authorization_code", code, redirect_uri: CALLBACK, client_id: CLIENT, code_verifier: verifier });
}

const element = (name, text, attributes = {}) => {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

/** Shows an answer of the token endpoint, and what can be done with it. */
export function show(place, answer, credentials) {
  place.hidden = false;
  place.replaceChildren();
  if (!answer.access_token) {
    place.append(element("h2", "No token"), element("p", `${answer.error}: ${answer.error_description ?? ""}`, { id: "error", class: "bad" }));
    return;
  }
  const facts = element("dl", "");
  for (const name of ["access_token", "token_type", "expires_in", "scope", "refresh_token"]) {
    if (answer[name] === undefined) continue;
    const value = name.endsWith("_token") ? `${answer[name].slice(0, 8)}… (${answer[name].length} characters)` : answer[name];
    facts.append(element("dt", name), element("dd", value));
  }
  const output = element("pre", "", { id: "output", hidden: "" });
  const tell = async response => {
    output.hidden = false;
    const text = await response.text();
    output.textContent = `${response.status} ${response.statusText}\n${text}`;
  };
  const button = (id, text, action) => {
    const made = element("button", text, { type: "button", id });
    made.addEventListener("click", action);
    return made;
  };
  const authorization = { headers: { Authorization: `Bearer ${answer.access_token}` } };
  place.append(element("h2", "A token"), facts,
    button("call-notes", "Call /api/notes", async () => tell(await fetch("/api/notes", authorization))),
    button("call-me", "Call /me", async () => tell(await fetch("/me", authorization))));
  if (answer.refresh_token) {
    place.append(button("refresh", "Use the refresh token", async () =>
      show(place, await token({ grant_type: "refresh_token", refresh_token: answer.refresh_token, ...credentials }), credentials)));
  }
  place.append(button("revoke", "Revoke it", async () =>
    tell(await fetch(SERVER.revoke, { method: "POST", body: new URLSearchParams({ token: answer.access_token, ...credentials }) }))), output);
}
