// Talking to the server: every call carries the key from memory, and every failure becomes one plain sentence.
import { forgetKey, keyInMemory, noteDenied } from "../state/session";
import type { Problem } from "./types";

export type Kind = "unauthorised" | "denied" | "absent" | "spent" | "busy" | "unreadable" | "unreachable" | "invalid";

/** What went wrong, as it may be shown. */
export class Refusal extends Error {
  constructor(
    readonly kind: Kind,
    message: string,
    readonly detail: unknown = null,
  ) {
    super(message);
  }
}

export const BAD_KEY = "This key is not valid: it may be mistyped, revoked or expired.";
const SENTENCES: Record<number, [Kind, string]> = {
  401: ["unauthorised", BAD_KEY],
  403: ["denied", "This key's role may not read this. Ask whoever keeps the policy."],
  404: ["absent", "This is not here, or not here any more."],
  422: ["invalid", "The server does not take this question as it stands."],
  429: ["busy", "Too many requests from this key. Wait a minute."],
  503: ["unreadable", "The server can't read its data at the moment. Try again later."],
};

interface Asking {
  body?: unknown;
  signal?: AbortSignal;
}

async function sent(address: string, { body, signal }: Asking): Promise<Response> {
  const headers: Record<string, string> = { Authorization: `Bearer ${keyInMemory()}` };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    return await fetch(address, {
      method: body === undefined ? "GET" : "POST",
      headers,
      credentials: "omit",
      cache: "no-cache",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal("unreachable", "The server can't be reached.");
  }
}

async function checked(answer: Response, address: string): Promise<Response> {
  if (answer.ok) return answer;
  const problem: Partial<Problem> = await answer.json().catch(() => ({}));
  if (answer.status === 401) forgetKey(BAD_KEY);
  if (answer.status === 403) noteDenied(address);
  if (answer.status === 429 && "left" in problem) {
    throw new Refusal("spent", "The budget for questions about this epoch is spent.", problem);
  }
  const [kind, sentence] = SENTENCES[answer.status] ?? ["unreadable", `The server answered with status ${answer.status}.`];
  const told = answer.status === 503 && problem.detail ? problem.detail : sentence;
  throw new Refusal(kind, told, problem);
}

/** The JSON at an address of this server. */
export async function asked<Wanted>(address: string, asking: Asking = {}): Promise<Wanted> {
  const answer = await checked(await sent(address, asking), address);
  return (await answer.json()) as Wanted;
}

/** The bytes at an address of this server, as they came. */
export async function bytes(address: string, asking: Asking = {}): Promise<Uint8Array<ArrayBuffer>> {
  const answer = await checked(await sent(address, asking), address);
  return new Uint8Array(await answer.arrayBuffer());
}

/** Any error as a sentence; of one of our own mistakes, no more than that it is one. */
export function told(error: unknown): string {
  return error instanceof Refusal ? error.message : "This page failed to show it. Reload it; if that does not help, report it.";
}
