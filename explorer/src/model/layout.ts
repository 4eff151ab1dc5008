// Where circles stand on the map: at the released places, moved apart until hardly any two of a level overlap.
import type { Node, Tree } from "./tree";

/** How wide and tall the plane is, for a place of this shape. */
export const plane = (aspect: number): [number, number] => [1000 * Math.sqrt(aspect), 1000 / Math.sqrt(aspect)];

export interface Spot {
  node: Node;
  x: number;
  y: number;
  r: number;
  low: number;
  high: number;
}

const FILLED = 0.3; // of the plane, by the circles of one level
const MOST_TURNS = 60;

/** One list of spots for each level, top first, the largest first in each. Areas are users, on one scale within a level. */
export function laidOut(tree: Tree, aspect: number): Spot[][] {
  const [wide, tall] = plane(aspect);
  const x = stretched(tree.all.map((node) => node.topic.map.x), wide);
  const y = stretched(tree.all.map((node) => node.topic.map.y), tall);
  return tree.levels.map((level) => {
    const nodes = tree.all.filter((node) => node.topic.level === level).sort((a, b) => b.topic.users.value - a.topic.users.value);
    const users = nodes.reduce((sum, node) => sum + Math.max(1, node.topic.users.value), 0);
    const unit = Math.min(150 / Math.sqrt(Math.max(...nodes.map((node) => node.topic.users.value), 1)), Math.sqrt((FILLED * wide * tall) / (Math.PI * users)));
    const radius = (value: number): number => unit * Math.sqrt(Math.max(0, value));
    const spots = nodes.map((node) => ({
      node,
      x: x(node.topic.map.x),
      y: y(node.topic.map.y),
      r: radius(node.topic.users.value),
      low: radius(node.topic.users.low),
      high: radius(node.topic.users.high),
    }));
    apart(spots);
    return spots;
  });
}

/** From where the release has it to the plane, so that all places fill it but for an edge. */
function stretched(all: readonly number[], room: number): (value: number) => number {
  const [low, high] = [Math.min(...all), Math.max(...all)];
  return (value) => (high > low ? room * (0.1 + (0.8 * (value - low)) / (high - low)) : room / 2);
}

export interface Bounds {
  left: number;
  top: number;
  wide: number;
  tall: number;
}

/** The smallest rectangle around all circles of all levels. */
export function bounds(levels: readonly Spot[][]): Bounds {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { x, y, high } of levels.flat()) {
    [left, top] = [Math.min(left, x - high), Math.min(top, y - high)];
    [right, bottom] = [Math.max(right, x + high), Math.max(bottom, y + high)];
  }
  return right > left && bottom > top ? { left, top, wide: right - left, tall: bottom - top } : { left: 0, top: 0, wide: 1000, tall: 1000 };
}

/** Push overlapping circles away from each other, the smaller one further; a grid finds neighbours. */
function apart(spots: Spot[]): void {
  const cell = 2 * Math.max(1, ...spots.map((spot) => spot.high));
  const turns = spots.length > 800 ? 14 : MOST_TURNS;
  for (let turn = 0; turn < turns; turn += 1) {
    const grid = new Map<number, number[]>();
    const key = (x: number, y: number): number => Math.floor(x / cell) * 4096 + Math.floor(y / cell);
    spots.forEach((spot, at) => {
      const place = key(spot.x, spot.y);
      const held = grid.get(place);
      if (held) held.push(at);
      else grid.set(place, [at]);
    });
    let moved = false;
    spots.forEach((a, at) => {
      for (let dx = -1; dx <= 1; dx += 1) {
        for (let dy = -1; dy <= 1; dy += 1) {
          for (const other of grid.get(key(a.x + dx * cell, a.y + dy * cell)) ?? []) {
            if (other > at) moved = push(a, spots[other] as Spot, at) || moved;
          }
        }
      }
    });
    if (!moved) return;
  }
}

function push(a: Spot, b: Spot, turn: number): boolean {
  let [dx, dy] = [b.x - a.x, b.y - a.y];
  const want = a.high + b.high + 1.5;
  let apart_ = Math.hypot(dx, dy);
  if (apart_ >= want) return false;
  if (apart_ < 1e-6) [dx, dy, apart_] = [Math.cos(turn), Math.sin(turn), 1];
  const share = a.r / Math.max(1e-6, a.r + b.r);
  const by = (0.55 * (want - apart_)) / apart_;
  a.x -= dx * by * (1 - share);
  a.y -= dy * by * (1 - share);
  b.x += dx * by * share;
  b.y += dy * by * share;
  return true;
}
