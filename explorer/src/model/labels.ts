// Which names fit on the map without touching: the largest circles first, each in one or two lines, in its circle if it fits.
import type { Spot } from "./layout";

export interface Label {
  spot: Spot;
  x: number;
  y: number;
  size: number;
  lines: string[];
  within: boolean;
  number: boolean;
}

export interface Frame {
  k: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

const LETTER = 0.56; // of the size, the width of a letter on average
const LEADING = 1.22;
const [TINY, ENOUGH] = [5, 24]; // no name for a dot of fewer pixels where so many stand already
const ROOMY = 48; // pixels of radius: here a name is cut rather than put beneath
const [SMALLEST, LARGEST, MOST, LONGEST] = [12, 17, 60, 20];

const kept = new Map<string, string[]>();

function wrapped(name: string, longest: number): string[] {
  const key = `${longest} ${name}`;
  const found = kept.get(key) ?? broken(name, longest);
  if (kept.size > 20_000) kept.clear();
  kept.set(key, found);
  return found;
}

function broken(name: string, longest: number): string[] {
  const lines: string[] = [];
  for (const word of name.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 1 <= longest) lines[lines.length - 1] = `${last} ${word}`;
    else if (lines.length === 2) return [lines[0] as string, `${(lines[1] as string).slice(0, longest - 1)}…`];
    else lines.push(word.length > longest ? `${word.slice(0, longest - 1)}…` : word);
  }
  return lines;
}

interface Box {
  left: number;
  right: number;
  top: number;
  bottom: number;
}

const touching = (a: Box, b: Box): boolean => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

/** As large as the circle allows; with the number beneath if there is room; beneath the circle if it is too small. */
function placed(spot: Spot, x: number, y: number, k: number): { label: Label; box: Box } {
  const r = spot.low * k;
  const size = Math.max(SMALLEST, Math.min(LARGEST, r / 4.5));
  const inside = wrapped(spot.node.topic.name, Math.max(8, Math.min(LONGEST, Math.floor((1.75 * r) / (size * LETTER)))));
  const fits = (rows: number): boolean =>
    (r > ROOMY || !inside.some((one) => one.endsWith("…"))) && Math.hypot(widest(inside) * size * LETTER, rows * size * LEADING) < 1.9 * r;
  const within = fits(inside.length);
  const number = within && fits(inside.length + 1);
  const [lines, letters] = within ? [inside, size] : [wrapped(spot.node.topic.name, LONGEST), SMALLEST];
  const [wide, tall] = [widest(lines) * letters * LETTER, (lines.length + (number ? 0.85 : 0)) * letters * LEADING];
  const top = within ? y - tall / 2 : y + spot.high * k + 2;
  const box = { left: x - wide / 2 - 6, right: x + wide / 2 + 6, top: top - 4, bottom: top + tall + 4 };
  return { label: { spot, x, y: top + letters * 0.9, size: letters, lines, within, number }, box };
}

const widest = (lines: readonly string[]): number => Math.max(...lines.map((one) => one.length));

/** Spots come largest first; `first` is placed before all others. */
export function labelled(spots: readonly Spot[], frame: Frame, first: Spot | null): Label[] {
  const taken: Box[] = [];
  const found: Label[] = [];
  const order = first === null ? spots : [first, ...spots.filter((spot) => spot !== first)];
  for (const spot of order) {
    if (found.length >= MOST || (spot.r * frame.k < TINY && found.length >= ENOUGH)) break;
    const [x, y] = [spot.x * frame.k + frame.x, spot.y * frame.k + frame.y];
    if (x < 0 || y < 0 || x > frame.width || y > frame.height) continue;
    const { label, box } = placed(spot, x, y, frame.k);
    const cut = box.left < 2 || box.right > frame.width - 2 || box.top < 2 || box.bottom > frame.height - 2;
    if (cut || taken.some((other) => touching(box, other))) continue;
    taken.push(box);
    found.push(label);
  }
  return found;
}
