// From a lens to colours: seven steps, and how far the noise blurs each.
import { scaleQuantize } from "d3-scale";
import type { Interval } from "../numbers/intervals";
import type { Lens } from "./lens";
import type { Node } from "./tree";

export const STEPS = 7;
export type Sureness = "sure" | "unsure" | "open";

export interface Shade {
  step: number | null;
  sureness: Sureness;
}

export interface Palette {
  kind: "plain" | "rising" | "turning";
  domain: [number, number];
  shade: (interval: Interval | null) => Shade;
}

/** `turning` has its middle at no change; `open` means that the noise alone could explain it. */
export function palette(lens: Lens, nodes: readonly Node[]): Palette {
  if (lens.scale === "count") return { kind: "plain", domain: [0, 1], shade: () => ({ step: 3, sureness: "sure" }) };
  const values = nodes.map(lens.of).filter((one): one is Interval => one !== null);
  if (lens.scale === "growth") {
    const widest = Math.min(1, Math.max(0.1, ...values.map((one) => Math.abs(one.value))));
    const step = scaleQuantize<number>().domain([-widest, widest]).range([...Array(STEPS).keys()]);
    return {
      kind: "turning",
      domain: [-widest, widest],
      shade: (one) => (one === null ? { step: null, sureness: "sure" } : { step: step(one.value), sureness: one.low <= 0 && one.high >= 0 ? "open" : "sure" }),
    };
  }
  const most = Math.max(0.01, ...values.map((one) => one.value));
  const step = scaleQuantize<number>().domain([0, most]).range([...Array(STEPS).keys()]);
  const blurred = (one: Interval): Sureness => (step(one.high) - step(one.low) >= 4 ? "open" : step(one.high) - step(one.low) >= 2 ? "unsure" : "sure");
  return { kind: "rising", domain: [0, most], shade: (one) => (one === null ? { step: null, sureness: "sure" } : { step: step(one.value), sureness: blurred(one) }) };
}
