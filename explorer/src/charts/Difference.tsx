// A difference on an axis with zero in it: what the noise leaves open lies on both sides of the line.
import { scaleLinear } from "d3-scale";
import { range, shown, type Scale } from "../numbers/format";
import type { Interval } from "../numbers/intervals";
import { useSize } from "./width";

const [HEIGHT, MIDDLE] = [92, 44];

export function Difference({ apart, scale, left, right }: { apart: Interval; scale: Scale; left: string; right: string }) {
  const [place, { width }] = useSize<HTMLDivElement>();
  const widest = 1.15 * Math.max(Math.abs(apart.low), Math.abs(apart.high), 1e-9);
  const x = scaleLinear().domain([-widest, widest]).range([8, Math.max(20, width - 8)]);
  const clear = apart.low > 0 || apart.high < 0;
  const letters = Math.max(6, Math.floor((width / 2 - 60) / 6));
  const clip = (name: string): string => (name.length > letters ? `${name.slice(0, letters - 1)}…` : name);
  const said = `Difference ${shown(apart.value, scale)}, 95 % interval ${range(apart, scale)}`;
  return (
    <div class="difference" ref={place}>
      {width > 0 && (
        <svg width={width} height={HEIGHT} role="img" aria-label={said}>
          <line class="grid" x1={x(-widest)} x2={x(widest)} y1={MIDDLE} y2={MIDDLE} />
          <rect class={clear ? "apart clear" : "apart"} x={x(apart.low)} width={Math.max(2, x(apart.high) - x(apart.low))} y={MIDDLE - 9} height="18" rx="9" />
          <line class="mark" x1={x(apart.value)} x2={x(apart.value)} y1={MIDDLE - 12} y2={MIDDLE + 12} />
          <line class="zero" x1={x(0)} x2={x(0)} y1="20" y2={MIDDLE + 22} />
          <text class="tick" x={x(0)} y="14" text-anchor="middle">
            equal
          </text>
          <text class="tick" x="8" y={HEIGHT - 4}>
            ← {clip(left)} larger
          </text>
          <text class="tick" x={width - 8} y={HEIGHT - 4} text-anchor="end">
            {clip(right)} larger →
          </text>
        </svg>
      )}
      <p class="note">{said}.</p>
    </div>
  );
}
