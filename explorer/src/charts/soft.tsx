// A bar whose end is as blurred as the number is unsure: solid to the low end of its interval, gone at the high end.
import { useId } from "preact/hooks";

interface Soft {
  x: number;
  y: number;
  height: number;
  low: number;
  high: number;
  value: number;
}

/** low, high and value are places in pixels; the line in the bar is the number itself. */
export function SoftBar({ x, y, height, low, high, value }: Soft) {
  const name = useId();
  const end = Math.max(high, x + 1);
  const solid = Math.max(0, Math.min(1, (low - x) / (end - x)));
  return (
    <g>
      <linearGradient id={name} x1={x} x2={end} y1="0" y2="0" gradientUnits="userSpaceOnUse">
        <stop offset={solid} class="soft-solid" />
        <stop offset="1" class="soft-gone" />
      </linearGradient>
      <rect x={x} y={y} width={end - x} height={height} rx="2" fill={`url(#${name})`} />
      <line class="mark" x1={value} x2={value} y1={y - 1} y2={y + height + 1} />
      <path class="whisker" d={`M${low} ${y + height / 2 - 2.5}v5M${low} ${y + height / 2}H${high}M${high} ${y + height / 2 - 2.5}v5`} />
    </g>
  );
}
