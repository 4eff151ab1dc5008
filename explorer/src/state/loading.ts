// Something on its way: loading, there, or failed with a sentence.
import { useEffect, useState } from "preact/hooks";
import { Refusal, told } from "../api/client";

export type Loaded<Value> =
  | { state: "loading" }
  | { state: "there"; value: Value }
  | { state: "failed"; message: string; kind: Refusal["kind"] | "broken"; again: () => void };

/** Load again whenever `name` changes; an answer that comes too late is dropped. Null: there is nothing to load. */
export function useLoaded<Value>(name: string | null, load: (signal: AbortSignal) => Promise<Value>): Loaded<Value> {
  const [turn, next] = useState(0);
  const [held, hold] = useState<{ name: string | null; loaded: Loaded<Value> }>({ name: null, loaded: { state: "loading" } });
  useEffect(() => {
    if (name === null) return;
    const leaving = new AbortController();
    load(leaving.signal).then(
      (value) => leaving.signal.aborted || hold({ name, loaded: { state: "there", value } }),
      (error: unknown) => {
        if (leaving.signal.aborted) return;
        const kind = error instanceof Refusal ? error.kind : "broken";
        const again = (): void => {
          hold({ name, loaded: { state: "loading" } });
          next((before) => before + 1);
        };
        hold({ name, loaded: { state: "failed", message: told(error), kind, again } });
      },
    );
    return () => leaving.abort();
  }, [name, turn]);
  return held.name === name ? held.loaded : { state: "loading" };
}
