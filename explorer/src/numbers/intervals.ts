// Arithmetic on released numbers, the same as the server's `serve/intervals.py` and `serve/compare.py`: a test holds the two together.
import type { Estimate } from "../api/types";

export interface Interval {
  value: number;
  low: number;
  high: number;
}

const ROUNDING = 0.5;

/** 1.96 standard deviations of the noise, rounded up by what rounding may hide. */
export function reach(estimate: Estimate): number {
  const above = estimate.high - estimate.value + 2 * ROUNDING;
  const whole = (estimate.high - estimate.low) / 2 + ROUNDING;
  return (estimate.low > 0 ? Math.min(above, whole) : above) + ROUNDING;
}

/** a - b, whose noise is independent: variances add. */
export function difference(a: Estimate, b: Estimate): Interval {
  const apart = a.value - b.value;
  const around = Math.hypot(reach(a), reach(b));
  return { value: apart, low: Math.floor(apart - around), high: Math.ceil(apart + around) };
}

const unit = (share: number): number => Math.min(1, Math.max(0, share));

/** Part over whole by Fieller's theorem, cut to 0..1; null where the whole is not clear of zero. */
export function ratio(part: Estimate, whole: Estimate): Interval | null {
  const [n, rn, d, rd] = [part.value, reach(part), whole.value, reach(whole)];
  const below = d * d - rd * rd;
  if (d <= 0 || below <= 0) return null;
  const around = Math.sqrt(Math.max(0, n * n * d * d - below * (n * n - rn * rn)));
  return { value: unit(n / d), low: unit((n * d - around) / below), high: unit((n * d + around) / below) };
}

/** a - b of two shares, by MOVER; opposed: what one divides by is what the other counts. */
export function differenceOfRatios(a: Interval, b: Interval, opposed: boolean): Interval {
  const add = opposed ? (one: number, other: number) => one + other : Math.hypot;
  const value = a.value - b.value;
  return {
    value,
    low: Math.max(-1, value - add(a.value - a.low, b.high - b.value)),
    high: Math.min(1, value + add(a.high - a.value, b.value - b.low)),
  };
}

export const NO_DIFFERENCE = "no difference that the noise allows";

/** What may be said of a difference; without an interval, nothing. */
export function verdict(apart: Interval | null): typeof NO_DIFFERENCE | "a is larger" | "b is larger" {
  if (apart === null || (apart.low <= 0 && apart.high >= 0)) return NO_DIFFERENCE;
  return apart.low > 0 ? "a is larger" : "b is larger";
}
