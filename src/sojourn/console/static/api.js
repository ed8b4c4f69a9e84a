// Asking the server: everything that the console knows comes through here, from the public API.

export const FC = "/2023-03-30";
export const V1 = "/v1";

/** An answer that is an error; `code` and `requestId` are the server's. */
export class ApiError extends Error {
  constructor(status, code, message, requestId) {
    super(message);
    Object.assign(this, { status, code, requestId });
  }

  /** Whether this server does not have what was asked for at all. */
  get notOffered() {
    return this.code === "PathNotSupported";
  }
}

const SCOPES = ["read", "operate", "admin"];
let csrfToken = "";
let scope = "admin";
let onSignedOut = () => {};

/** What to do when the session is over. */
export function whenSignedOut(action) {
  onSignedOut = action;
}

/** The session there is, null when there is none. */
export async function session() {
  const response = await fetch("/console/session", { headers: { accept: "application/json" } });
  if (response.status === 401) return null;
  return opened(await decoded(response));
}

/** Whether the session's token reaches as far as `needed`; the server refuses what goes beyond it in any case. */
export function may(needed) {
  return SCOPES.indexOf(scope) >= SCOPES.indexOf(needed);
}

/** Sign in; `given` is what the person typed. */
export async function signIn(given) {
  return opened(await sent("POST", "/console/session", JSON.stringify(given), { "content-type": "application/json" }));
}

/** End the session. */
export async function signOut() {
  await sent("DELETE", "/console/session", undefined, {});
  csrfToken = "";
}

/** GET a document; parameters that are empty are left out. */
export function get(path, query, options) {
  return sent("GET", path + queryText(query), undefined, {}, options);
}

/** Send a document with another method, and decode the answer. */
export function send(method, path, body, query) {
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  return sent(method, path + queryText(query), body === undefined ? undefined : JSON.stringify(body), headers);
}

/** Send bytes with headers of their own, and get the whole response. */
export async function raw(method, path, body, headers, options) {
  const response = await fetch(path, { method, body, headers: { ...csrf(method), ...headers }, ...options });
  if (!response.ok) await decoded(response);
  return response;
}

/** A path below a function. */
export function ofFunction(name, rest = "", base = V1) {
  return `${base}/functions/${encodeURIComponent(name)}${rest}`;
}

/** A path below a task. */
export function ofTask(name, id, rest = "") {
  return ofFunction(name, `/tasks/${encodeURIComponent(id)}${rest}`);
}

/** A query string; lists are joined with commas. */
export function queryText(query) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return given.length ? `?${new URLSearchParams(given.map(([name, value]) => [name, String(value)]))}` : "";
}

async function sent(method, path, body, headers, options) {
  const all = { accept: "application/json", ...csrf(method), ...headers };
  return decoded(await fetch(path, { method, body, headers: all, ...options }));
}

function csrf(method) {
  return method === "GET" ? {} : { "x-sojourn-csrf": csrfToken };
}

function opened(document) {
  csrfToken = document.csrfToken;
  scope = document.scope;
  return document;
}

async function decoded(response) {
  const text = await response.text();
  let document = null;
  try {
    document = text ? JSON.parse(text) : null;
  } catch {
    if (response.ok) return text;
  }
  if (response.ok) return document;
  const { Code: code = "", Message: message = text, RequestId: requestId = "" } = document ?? {};
  if (response.status === 401) onSignedOut();
  throw new ApiError(response.status, code, message, requestId);
}
