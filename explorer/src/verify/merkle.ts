// Proofs of the audit log's tree, as RFC 9162, sections 2.1.3.2 and 2.1.4.2, check them.
import { joined, same, sha256, type Bytes } from "./bytes";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (leaf: Bytes): Promise<Bytes> => sha256(joined(LEAF, leaf));
const nodeHash = (left: Bytes, right: Bytes): Promise<Bytes> => sha256(joined(NODE, left, right));

const odd = (at: number): boolean => at % 2 === 1;
const half = (at: number): number => Math.floor(at / 2);

/** Whether the proof leads from this leaf's hash to this root. */
export async function includes(index: number, size: number, leaf: Bytes, proof: readonly Bytes[], root: Bytes): Promise<boolean> {
  if (!(index >= 0 && index < size)) return false;
  let [at, last, node] = [index, size - 1, leaf];
  for (const sibling of proof) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      node = await nodeHash(sibling, node);
      while (at !== 0 && !odd(at)) [at, last] = [half(at), half(last)];
    } else node = await nodeHash(node, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && same(node, root);
}

/** Whether the tree of `old` leaves is the beginning of that of `now`. */
export async function extendsTree(old: number, oldRoot: Bytes, now: number, root: Bytes, proof: readonly Bytes[]): Promise<boolean> {
  if (!(old > 0 && old <= now)) return false;
  if (old === now) return proof.length === 0 && same(oldRoot, root);
  const power = Number.isInteger(Math.log2(old));
  const steps = power ? [oldRoot, ...proof] : [...proof];
  let [at, last] = [old - 1, now - 1];
  while (odd(at)) [at, last] = [half(at), half(last)];
  const first = steps.shift();
  if (first === undefined) return false;
  let [before, after] = [first, first];
  for (const sibling of steps) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      [before, after] = [await nodeHash(sibling, before), await nodeHash(sibling, after)];
      while (at !== 0 && !odd(at)) [at, last] = [half(at), half(last)];
    } else after = await nodeHash(after, sibling);
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && same(before, oldRoot) && same(after, root);
}
