// Signed notes of the audit log (C2SP tlog-checkpoint): what was signed, checked against the log's public keys.
import { fromBase64, hex, joined, same, sha256, signed, utf8, type Bytes } from "./bytes";

export interface Checkpoint {
  origin: string;
  size: number;
  root: Bytes;
  time: string;
}

const NOTE =
  /^((sfumato\.audit\/[0-9a-f]{16})\n(0|[1-9][0-9]{0,15})\n([A-Za-z0-9+/]{43}=)\ntime ([0-9T:Z-]{20})\n)\n— (sfumato\.audit\/[0-9a-f]{16}) ([A-Za-z0-9+/]{91}=)\n$/;
const KEY = /^(sfumato\.audit\/[0-9a-f]{16})\+([0-9a-f]{8})\+([A-Za-z0-9+/]{44})$/;

async function keyOf(text: string): Promise<{ origin: string; id: string; key: Bytes } | null> {
  const found = KEY.exec(text);
  if (!found?.[1] || !found[2] || !found[3]) return null;
  const raw = fromBase64(found[3]);
  const id = hex((await sha256(joined(utf8(`${found[1]}\n`), raw))).slice(0, 4));
  return raw[0] === 1 && id === found[2] ? { origin: found[1], id, key: raw.slice(1) } : null;
}

/** The checkpoint in a note that one of these keys signed, or null. */
export async function read(note: string, keys: readonly string[]): Promise<Checkpoint | null> {
  const found = NOTE.exec(note);
  if (!found) return null;
  const [, text = "", origin = "", size = "", root = "", time = "", name = "", mark = ""] = found;
  const raw = fromBase64(mark);
  for (const spelled of keys) {
    const key = await keyOf(spelled);
    if (key === null || key.origin !== origin || name !== origin || !same(raw.slice(0, 4), Uint8Array.from(key.id.match(/../g) ?? [], (pair) => parseInt(pair, 16)))) continue;
    if (await signed(key.key, raw.slice(4), utf8(text))) return { origin, size: Number(size), root: fromBase64(root), time };
  }
  return null;
}
