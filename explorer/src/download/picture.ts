// A chart as SVG or PNG: styles written into it, and the guarantee printed beneath it.
import { handOver } from "./file";

const STYLES = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "stop-color", "stop-opacity", "paint-order", "visibility"];
const SPACE = "http://www.w3.org/2000/svg";
const [MARGIN, LINE] = [16, 15];

function styled(from: Element, to: Element): void {
  const look = getComputedStyle(from);
  for (const name of STYLES) {
    const value = look.getPropertyValue(name);
    if (value) to.setAttribute(name, value);
  }
  to.removeAttribute("class");
  to.removeAttribute("style");
  [...from.children].forEach((child, at) => {
    const twin = to.children[at];
    if (twin) styled(child, twin);
  });
}

function wrapped(text: string, letters: number): string[] {
  return text.split(" ").reduce<string[]>((lines, word) => {
    const last = lines.at(-1);
    if (last === undefined || last.length + word.length + 1 > letters) return [...lines, word];
    return [...lines.slice(0, -1), `${last} ${word}`];
  }, []);
}

/** The chart alone, under its title and over its guarantee. */
export function standalone(chart: SVGSVGElement, title: string, guarantee: string): { text: string; width: number; height: number } {
  const box = chart.getBoundingClientRect();
  const [inner, tall] = [Math.max(320, Math.round(box.width)), Math.round(box.height)];
  const lines = wrapped(guarantee, Math.floor(inner / 5.4));
  const top = MARGIN + 26;
  const [width, height] = [inner + 2 * MARGIN, top + tall + MARGIN + lines.length * LINE + MARGIN];
  const root = document.createElementNS(SPACE, "svg");
  const set = (node: Element, values: Record<string, string | number>): Element => {
    for (const [name, value] of Object.entries(values)) node.setAttribute(name, String(value));
    return node;
  };
  set(root, { xmlns: SPACE, width, height, viewBox: `0 0 ${width} ${height}` });
  const ink = getComputedStyle(document.body);
  const ground = set(document.createElementNS(SPACE, "rect"), { width, height, fill: getComputedStyle(document.documentElement).getPropertyValue("--panel").trim() || "#fff" });
  const copy = chart.cloneNode(true) as SVGSVGElement;
  styled(chart, copy);
  set(copy, { x: MARGIN, y: top, width: inner, height: tall });
  const put = (text: string, y: number, size: number, weight: number): Element => {
    const node = set(document.createElementNS(SPACE, "text"), { x: MARGIN, y, fill: ink.color, "font-family": ink.fontFamily, "font-size": size, "font-weight": weight });
    node.textContent = text;
    return node;
  };
  root.append(ground, put(title, MARGIN + 12, 15, 600), copy, ...lines.map((line, at) => put(line, top + tall + MARGIN + (at + 0.7) * LINE, 10.5, 400)));
  return { text: new XMLSerializer().serializeToString(root), width, height };
}

export function saveSvg(chart: SVGSVGElement, name: string, title: string, guarantee: string): void {
  handOver(`${name}.svg`, standalone(chart, title, guarantee).text, "image/svg+xml");
}

export async function savePng(chart: SVGSVGElement, name: string, title: string, guarantee: string): Promise<void> {
  const { text, width, height } = standalone(chart, title, guarantee);
  const picture = new Image();
  picture.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await picture.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width * 2, height * 2];
  const brush = canvas.getContext("2d");
  brush?.scale(2, 2);
  brush?.drawImage(picture, 0, 0, width, height);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, "image/png"));
  if (blob) handOver(`${name}.png`, blob, "image/png");
}
