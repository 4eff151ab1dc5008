// How the page draws: elements made without markup, numbers, and bars with their intervals.

export const count = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
export const percent = new Intl.NumberFormat("en", { style: "percent", maximumFractionDigits: 1 });

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Text of a release, kept apart from its surroundings whatever its writing direction.
export const words = (text) => el("bdi", {}, text);

export function small(number) {
  if (number === 0) return "0";
  if (number >= 0.001) return String(Number(number.toPrecision(4)));
  const [digits, exponent] = number.toExponential(2).split("e");
  const raised = [...exponent].map((sign) => ({ "-": "⁻", "+": "" })[sign] ?? "⁰¹²³⁴⁵⁶⁷⁸⁹"[sign]).join("");
  return `${Number(digits)} × 10${raised}`;
}

export const range = (estimate) => `${count.format(estimate.low)} to ${count.format(estimate.high)}`;

// A bar up to the value, with a lighter band over the 95 % interval.
export function bar(estimate, whole) {
  const part = (value) => `${Math.min(100, Math.max(0, (100 * value) / Math.max(1, whole))).toFixed(2)}%`;
  const fill = el("span", { class: "fill" });
  fill.style.width = part(estimate.value);
  const band = el("span", { class: "band" });
  band.style.left = part(estimate.low);
  band.style.width = part(estimate.high - Math.max(0, estimate.low));
  return el("span", { class: "bar", "aria-hidden": "true" }, fill, band);
}
