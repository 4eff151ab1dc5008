// What is shown, as the address says it: a view and its parameters in the fragment, which no server ever sees.
import { useEffect, useState } from "preact/hooks";

export const VIEWS = ["topics", "compare", "ask", "policy", "ledger", "audit"] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  params: Readonly<Record<string, string>>;
}

export function parsed(fragment: string): Route {
  const [path = "", query = ""] = fragment.replace(/^#?\/?/, "").split("?", 2);
  const view = VIEWS.find((one) => one === path) ?? "topics";
  return { view, params: Object.fromEntries(new URLSearchParams(query)) };
}

export function written(route: Route): string {
  const query = new URLSearchParams(Object.entries(route.params).filter(([, value]) => value !== "")).toString();
  return `#/${route.view}${query ? `?${query}` : ""}`;
}

const listeners = new Set<(route: Route) => void>();
let current = parsed(typeof location === "undefined" ? "" : location.hash);

export const here = (): Route => current;

function tell(): void {
  for (const listener of listeners) listener(current);
}

/** Re-read the address: after back, forward, or a link. */
export function arrive(): void {
  current = parsed(location.hash);
  tell();
}

interface Going {
  view?: View;
  replace?: boolean;
}

/** Go somewhere: parameters are merged with those there are, an empty one is dropped. */
export function go(changes: Record<string, string>, { view, replace = false }: Going = {}): void {
  const params = { ...current.params, ...changes };
  const next = written({ view: view ?? current.view, params });
  if (next !== location.hash) {
    if (replace) history.replaceState(null, "", next);
    else history.pushState(null, "", next);
  }
  arrive();
}

/** The address that `go` would lead to, for links. */
export const address = (changes: Record<string, string>, view?: View): string =>
  written({ view: view ?? current.view, params: { ...current.params, ...changes } });

export function useRoute(): Route {
  const [route, show] = useState(current);
  useEffect(() => {
    listeners.add(show);
    show(current);
    return () => void listeners.delete(show);
  }, []);
  return route;
}
