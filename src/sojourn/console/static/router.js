// Addresses: what is in the bar above is what is shown, so that it can be sent to somebody.

const BASE = "/console";
let routes = [];
let onChange = () => {};

/** Show by `show(view, parameters, query)` what the address says, from now on; `table` is a list of [pattern, view]. */
export function start(table, show) {
  routes = table.map(([pattern, view]) => [pattern.split("/").filter(Boolean), view]);
  onChange = show;
  addEventListener("popstate", follow);
  document.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    const plain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || !plain || link.origin !== location.origin || !link.pathname.startsWith(BASE) || link.target) return;
    if (link.pathname.startsWith(`${BASE}/assets/`) || link.getAttribute("href").startsWith("#")) return;
    event.preventDefault();
    go(link.pathname.slice(BASE.length) + link.search);
  });
  follow();
}

/** Go to a page of the console, such as `/tasks?q=…`. */
export function go(path) {
  history.pushState(null, "", BASE + path);
  follow();
}

/** Change the query in the address without another page. */
export function note(query) {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value)).toString();
  history.replaceState(null, "", location.pathname + (text ? `?${text}` : ""));
}

/** The address of a page, for a link. */
export function href(path) {
  return BASE + path;
}

/** Parts of a path, safely put together. */
export function path(...parts) {
  return `/${parts.map(encodeURIComponent).join("/")}`;
}

function follow() {
  const parts = location.pathname.slice(BASE.length).split("/").filter(Boolean).map(decoded);
  const query = Object.fromEntries(new URLSearchParams(location.search));
  for (const [pattern, view] of routes) {
    if (pattern.length !== parts.length) continue;
    const names = {};
    const fits = pattern.every((piece, place) => {
      if (piece.startsWith(":")) names[piece.slice(1)] = parts[place];
      return piece.startsWith(":") || piece === parts[place];
    });
    if (fits) return onChange(view, names, query);
  }
  return onChange(null, {}, query);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
