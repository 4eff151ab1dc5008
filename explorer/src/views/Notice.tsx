// What the page says when there is nothing to draw: loading, empty, refused, failed.
import type { ComponentChildren } from "preact";
import type { Loaded } from "../state/loading";

export function Busy({ what }: { what: string }) {
  return (
    <p class="state" role="status">
      <span class="breathing" aria-hidden="true" />
      Loading {what}…
    </p>
  );
}

export function Empty({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <div class="state" role="status">
      <h2>{title}</h2>
      <p>{children}</p>
    </div>
  );
}

const TITLES: Partial<Record<string, string>> = {
  denied: "Not for this role",
  unreachable: "No connection",
  spent: "The budget is spent",
  busy: "Wait a minute",
  absent: "Nothing here",
};

const PASSING: ReadonlySet<string> = new Set(["unreachable", "unreadable", "busy", "broken"]);

export function Failed({ kind, message, again }: { kind: string; message: string; again?: () => void }) {
  return (
    <div class="state failed" role="alert">
      <h2>{TITLES[kind] ?? "That did not work"}</h2>
      <p>{message}</p>
      {again && PASSING.has(kind) && (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What is loaded, or the state it is in. */
export function Await<Value>({ of, what, children }: { of: Loaded<Value>; what: string; children: (value: Value) => ComponentChildren }) {
  if (of.state === "loading") return <Busy what={what} />;
  if (of.state === "failed") return <Failed {...of} />;
  return <>{children(of.value)}</>;
}
