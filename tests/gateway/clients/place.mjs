// Where the gateway is for a test, and a person who logs in and allows: the test itself, over stdin and stdout.
import http from "node:http";
import { createInterface } from "node:readline";

export const ISSUER = "https://localhost:8443";
export const CALLBACK = "https://app.example/callback";
export const SERVER_CALLBACK = "https://server.example/callback";
export const { TEST_CLIENT_SECRET: CLIENT_SECRET, TEST_OTHER_SECRET: OTHER_SECRET, TEST_USER_PASSWORD: PASSWORD, TEST_CLIENT_KEY: PRIVATE_KEY, TEST_ADMIN_KEY: ADMIN_KEY } = process.env;

/** `fetch`, with what is for the issuer at the port of the test, as a proxy with TLS in front of it would do. */
export function fetchAtGateway(url, options = {}) {
  const { pathname, search, origin } = new URL(url);
  if (origin !== ISSUER) throw new Error(`not for this server: ${url}`);
  const body = options.body === undefined || options.body === null ? undefined : options.body.toString();
  const headers = { ...Object.fromEntries(new Headers(options.headers)), host: "localhost:8443", "x-forwarded-proto": "https" };
  if (body !== undefined) headers["content-length"] = Buffer.byteLength(body);
  return new Promise((resolve, reject) => {
    const request = http.request({ host: "127.0.0.1", port: process.env.GATEWAY_PORT, path: pathname + search, method: options.method ?? "GET", headers }, response => {
      const pieces = [];
      response.on("data", piece => pieces.push(piece));
      response.on("end", () => {
        const fields = Object.entries(response.headers).map(([name, value]) => [name, String(value)]);
        const content = pieces.length === 0 ? null : Buffer.concat(pieces);
        resolve(new Response(content, { status: response.statusCode, headers: fields }));
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** As `fetchAtGateway`, by an administrator. */
export function fetchAsAdministrator(url, options = {}) {
  return fetchAtGateway(url, { ...options, headers: { ...Object.fromEntries(new Headers(options.headers)), "x-admin-key": ADMIN_KEY } });
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** What a person's browser ends at. */
export async function allow(url) {
  console.log(`AUTHORIZE ${url}`);
  return new URL((await lines.next()).value);
}

/** Whether a token opens the API. */
export async function opens(token, expected = 200) {
  const response = await fetchAtGateway(`${ISSUER}/api/notes`, { headers: { authorization: `Bearer ${token}` } });
  if (response.status !== expected) throw new Error(`${response.status}: ${await response.text()}`);
}

/** The client's private key, for Web Crypto. */
export function privateKey() {
  const der = Buffer.from(PRIVATE_KEY.replaceAll(/-----[A-Z ]+-----/g, ""), "base64");
  return crypto.subtle.importKey("pkcs8", der, { name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
}

export function assert(condition, what) {
  if (!condition) throw new Error(`not so: ${JSON.stringify(what)}`);
}

/** The end: reading from the test would go on otherwise. */
export function done() {
  process.stdout.write("DONE\n", () => process.exit(0));
}
