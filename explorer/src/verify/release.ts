// Whether a release document is whole and who signed it: Ed25519 over its canonical bytes without the signature, and its id.
import type { Release } from "../api/types";
import { canonical } from "./canonical";
import { canVerify, fromHex, hex, sha256, signed, utf8 } from "./bytes";

export type Verified = { state: "good"; key: string } | { state: "bad"; why: string } | { state: "unable"; why: string };

export async function verified(release: Release): Promise<Verified> {
  if (!canVerify()) return { state: "unable", why: "This browser checks signatures over TLS or on this machine only." };
  const { signature, ...rest } = release;
  const publicKey = fromHex(signature.public_key);
  if (hex(await sha256(publicKey)).slice(0, 16) !== signature.key_id) return { state: "bad", why: "The signature names another key than it holds." };
  try {
    const good = await signed(publicKey, fromHex(signature.value), utf8(canonical(rest)));
    return good ? { state: "good", key: signature.key_id } : { state: "bad", why: "The document was changed after it was signed." };
  } catch {
    return { state: "unable", why: "This browser knows no Ed25519 signatures." };
  }
}
