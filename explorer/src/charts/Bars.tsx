// Rows of numbers as bars with their 95 % intervals; the same rows stand in a table for those who do not see the picture.
import type { RefObject } from "preact";
import { shown, range, type Scale } from "../numbers/format";
import type { Interval } from "../numbers/intervals";
import { SoftBar } from "./soft";
import { useSize } from "./width";

export interface Bar {
  name: string;
  number: Interval | null;
  note?: string;
}

interface Bars {
  title: string;
  bars: readonly Bar[];
  scale: Scale;
  picture: RefObject<SVGSVGElement>;
  withheld?: string;
}

const ROW = 30;

function clipped(text: string, letters: number): string {
  return text.length > letters ? `${text.slice(0, letters - 1)}…` : text;
}

const wide = (bars: readonly Bar[]): number => Math.max(110, 14 + 7 * Math.max(0, ...bars.map((bar) => bar.name.length)));

export function Bars({ title, bars, scale, picture, withheld = "too few, withheld" }: Bars) {
  const [place, { width }] = useSize<HTMLDivElement>();
  const [label, number] = width < 420 ? [Math.max(80, Math.min(wide(bars), width * 0.36)), 96] : [Math.min(wide(bars), width * 0.4), 150];
  const most = Math.max(...bars.map((bar) => bar.number?.high ?? 0), scale === "share" ? 0.001 : 1);
  const least = Math.min(0, ...bars.map((bar) => bar.number?.low ?? 0));
  const room = Math.max(40, width - label - number);
  const at = (value: number): number => label + (room * (value - least)) / (most - least);
  return (
    <div class="bars" ref={place}>
      {width > 0 && (
        <svg ref={picture} width={width} height={bars.length * ROW} aria-hidden="true">
          {bars.map((bar, index) => {
            const y = index * ROW;
            return (
              <g key={bar.name}>
                <text class="label" x="0" y={y + 19}>
                  {clipped(bar.name, Math.floor((label - 8) / 7))}
                </text>
                {bar.number ? (
                  <>
                    <line class="track" x1={at(0)} x2={at(most)} y1={y + 15} y2={y + 15} />
                    <SoftBar x={at(0)} y={y + 8} height={14} low={at(Math.max(least, bar.number.low))} high={at(bar.number.high)} value={at(bar.number.value)} />
                    <text class="figure" x={width} y={y + 14} text-anchor="end">
                      {shown(bar.number.value, scale)}
                    </text>
                    <text class="interval" x={width} y={y + 26} text-anchor="end">
                      {range(bar.number, scale)}
                    </text>
                  </>
                ) : (
                  <text class="interval withheld" x={label} y={y + 19}>
                    {withheld}
                  </text>
                )}
              </g>
            );
          })}
        </svg>
      )}
      <div class="unseen">
        <table>
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">value</th>
            <th scope="col">number</th>
            <th scope="col">95 % interval</th>
          </tr>
        </thead>
        <tbody>
          {bars.map((bar) => (
            <tr key={bar.name}>
              <th scope="row">{bar.name}</th>
              <td>{bar.number ? shown(bar.number.value, scale) : withheld}</td>
              <td>{bar.number ? range(bar.number, scale) : ""}</td>
            </tr>
          ))}
        </tbody>
        </table>
      </div>
    </div>
  );
}
