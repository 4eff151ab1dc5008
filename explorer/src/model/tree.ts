// The topics of a release as a tree that can be walked, searched, and sorted by any lens.
import type { Release, Topic } from "../api/types";

export interface Node {
  topic: Topic;
  parent: Node | null;
  children: Node[];
  depth: number;
}

export interface Tree {
  tops: Node[];
  all: Node[];
  byId: ReadonlyMap<string, Node>;
  levels: number[];
}

export function grown(release: Release): Tree {
  const byId = new Map<string, Node>();
  for (const topic of release.topics) byId.set(topic.id, { topic, parent: null, children: [], depth: 0 });
  const tops: Node[] = [];
  for (const node of byId.values()) {
    node.parent = node.topic.parent === null ? null : (byId.get(node.topic.parent) ?? null);
    (node.parent === null ? tops : node.parent.children).push(node);
  }
  const all: Node[] = [];
  const walk = (nodes: Node[], depth: number): void => {
    nodes.sort((a, b) => b.topic.users.value - a.topic.users.value || (a.topic.id < b.topic.id ? -1 : 1));
    for (const node of nodes) {
      node.depth = depth;
      all.push(node);
      walk(node.children, depth + 1);
    }
  };
  walk(tops, 0);
  const levels = [...new Set(all.map((node) => node.topic.level))].sort((a, b) => b - a);
  return { tops, all, byId, levels };
}

export function path(node: Node): Node[] {
  return node.parent === null ? [node] : [...path(node.parent), node];
}

export interface Row {
  node: Node;
  position: number;
  size: number;
}

/** The rows that are open, in the order of the lens. */
export function rows(tops: readonly Node[], open: ReadonlySet<string>, weigh: (node: Node) => number): Row[] {
  const found: Row[] = [];
  const walk = (nodes: readonly Node[]): void => {
    const sorted = [...nodes].sort((a, b) => weigh(b) - weigh(a) || b.topic.users.value - a.topic.users.value);
    sorted.forEach((node, at) => {
      found.push({ node, position: at + 1, size: sorted.length });
      if (node.children.length > 0 && open.has(node.topic.id)) walk(node.children);
    });
  };
  walk(tops);
  return found;
}

const folded = (text: string): string => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** Topics whose name, phrases or description hold every word, names first, the largest first. */
export function matching(tree: Tree, text: string): Node[] {
  const wanted = folded(text).split(/\s+/).filter(Boolean);
  if (wanted.length === 0) return [];
  const all = (where: string): boolean => wanted.every((word) => where.includes(word));
  const scored = tree.all.flatMap((node) => {
    const name = folded(node.topic.name);
    if (all(name)) return [{ node, rank: name.startsWith(wanted[0] ?? "") ? 3 : 2 }];
    return all(`${name} ${folded(node.topic.phrases.map((one) => one.text).join(" "))} ${folded(node.topic.description)}`) ? [{ node, rank: 1 }] : [];
  });
  return scored.sort((a, b) => b.rank - a.rank || b.node.topic.users.value - a.node.topic.users.value).map((one) => one.node);
}
