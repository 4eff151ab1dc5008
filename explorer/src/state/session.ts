// Who is signed in: the key lives in this module's memory, never in storage, a cookie, the address or the document.
import { useEffect, useState } from "preact/hooks";

let key = "";
let accepted = false;
let reason = "";
let denied: ReadonlySet<string> = new Set();
const listeners = new Set<() => void>();

export const keyInMemory = (): string => key;
export const isSignedIn = (): boolean => accepted;
export const whySignedOut = (): string => reason;

/** Whether a token can be one at all: printable ASCII, so that it fits a header. */
export const isPlausible = (candidate: string): boolean => /^[\x21-\x7e]+$/.test(candidate);

/** Send this key from now on, without taking the visitor for signed in yet. */
export function tryKey(candidate: string): void {
  key = candidate;
  denied = new Set();
}

/** The key was good, or is to be taken for it. */
export function acceptKey(): void {
  [accepted, reason] = [true, ""];
  tell();
}

export function forgetKey(because = ""): void {
  [key, accepted, reason, denied] = ["", false, because, new Set()];
  tell();
}

/** The part of the API that refused this key's role: `releases`, `queries`, `policy`, `budget`, `audit`. */
export const areaOf = (address: string): string => /^\.?\/?v1\/([a-z]+)/.exec(address)?.[1] ?? "";

export function noteDenied(address: string): void {
  denied = new Set([...denied, areaOf(address)]);
  tell();
}

export const deniedAreas = (): ReadonlySet<string> => denied;

function tell(): void {
  for (const listener of listeners) listener();
}

/** Render again when the session changes. */
export function useSession(): void {
  const [, again] = useState(0);
  useEffect(() => {
    const listener = (): void => again((count) => count + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
}

/** A key handed over in the fragment; it leaves the address bar before anything else happens. */
export function handedKey(): string | null {
  const handed = new URLSearchParams(location.hash.slice(1)).get("key");
  if (handed !== null) history.replaceState(null, "", location.pathname + location.search);
  return handed;
}
