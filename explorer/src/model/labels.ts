// Which names fit on the map without touching: the largest circles first, each in one or two lines.
import type { Spot } from "./layout";

export interface Label {
  spot: Spot;
  x: number;
  y: number;
  lines: string[];
}

export interface Frame {
  k: number;
  x: number;
  y: number;
  width: number;
  height: number;
}

const [LETTER, TALL, MOST, LONGEST] = [6.6, 15, 70, 20];

function wrapped(name: string): string[] {
  const lines: string[] = [];
  for (const word of name.split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length + 1 <= LONGEST) lines[lines.length - 1] = `${last} ${word}`;
    else if (lines.length === 2) return [lines[0] as string, `${(lines[1] as string).slice(0, LONGEST - 1)}…`];
    else lines.push(word.length > LONGEST ? `${word.slice(0, LONGEST - 1)}…` : word);
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

/** Spots come largest first; `first` is placed before all others. */
export function labelled(spots: readonly Spot[], frame: Frame, first: Spot | null): Label[] {
  const taken: Box[] = [];
  const found: Label[] = [];
  const order = first === null ? spots : [first, ...spots.filter((spot) => spot !== first)];
  for (const spot of order) {
    if (found.length >= MOST) break;
    const [x, y] = [spot.x * frame.k + frame.x, spot.y * frame.k + frame.y];
    if (x < 0 || y < 0 || x > frame.width || y > frame.height) continue;
    const lines = wrapped(spot.node.topic.name);
    const wide = Math.max(...lines.map((one) => one.length)) * LETTER;
    const within = spot.r * frame.k * 1.7 > wide && spot.r * frame.k > TALL * lines.length * 0.6;
    const top = within ? y - (TALL * lines.length) / 2 : y + spot.high * frame.k + 2;
    const box = { left: x - wide / 2 - 3, right: x + wide / 2 + 3, top: top - 1, bottom: top + TALL * lines.length + 1 };
    const cut = box.left < 2 || box.right > frame.width - 2 || box.bottom > frame.height - 2;
    if (cut || taken.some((other) => touching(box, other))) continue;
    taken.push(box);
    found.push({ spot, x, y: top + 11, lines });
  }
  return found;
}
