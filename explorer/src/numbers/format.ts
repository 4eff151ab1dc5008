// Numbers in words: counts, shares, ranges, small probabilities.
import type { Interval } from "./intervals";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const part = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });
const coarse = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0 });
const signed = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });

export type Scale = "count" | "share" | "growth" | "mean";

const minus = (text: string): string => text.replace("-", "−");

export const count = (number: number): string => minus(whole.format(number));

export function shown(number: number, scale: Scale): string {
  const form = { share: Math.abs(number) < 0.1 ? part : coarse, growth: signed, mean: fine, count: whole }[scale];
  return minus(form.format(number));
}

/** Half the width of an interval of shares, in percentage points, never rounded down to nothing. */
export function giveOrTake(one: Interval): string {
  const points = 50 * (one.high - one.low);
  if (points < 0.1) return "less than 0.1 points";
  const rounded = points < 1 ? Math.ceil(10 * points) / 10 : Math.ceil(points);
  return rounded === 1 ? "1 point" : `${rounded} points`;
}

export const range = (one: Interval, scale: Scale = "count"): string => `${shown(one.low, scale)} to ${shown(one.high, scale)}`;

/** A range in few letters, for places where a column is narrow. */
export const tight = (one: Interval, scale: Scale): string => `${shown(one.low, scale).replace("%", "")}${scale === "growth" ? " to " : "–"}${shown(one.high, scale)}`;

/** Small numbers with a power of ten that can be read aloud. */
export function small(number: number): string {
  if (number === 0) return "0";
  if (Math.abs(number) >= 0.001) return String(Number(number.toPrecision(3)));
  const [digits = "", exponent = ""] = number.toExponential(1).split("e");
  const raised = [...exponent].map((sign) => ({ "-": "⁻", "+": "" })[sign] ?? "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(sign)]).join("");
  return Number(digits) === 1 ? `10${raised}` : `${Number(digits)} × 10${raised}`;
}

/** A word of the documents, as people write it. */
export const words = (name: string): string => name.replaceAll("_", " ");

export const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

const languages = typeof Intl.DisplayNames === "function" ? new Intl.DisplayNames(["en"], { type: "language", fallback: "none" }) : null;

/** A value of a facet as a person reads it: languages by name, the rest as it stands. */
export function valueName(facet: string, value: string): string {
  if (facet === "language" && /^[a-z]{2,3}(-[A-Za-z0-9]+)*$/.test(value)) {
    try {
      return languages?.of(value) ?? value;
    } catch {
      return value;
    }
  }
  return words(value);
}
