// A number over epochs: a line with the band of its 95 % intervals, blurred towards its edges.
import type { RefObject } from "preact";
import { scaleLinear, scalePoint } from "d3-scale";
import { count, range } from "../numbers/format";
import type { Interval } from "../numbers/intervals";
import { useSize } from "./width";

export interface Dot {
  at: string;
  number: Interval;
  here: boolean;
}

const [HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [170, 52, 34, 14, 28];

export function Line({ title, dots, picture }: { title: string; dots: readonly Dot[]; picture: RefObject<SVGSVGElement> }) {
  const [place, { width }] = useSize<HTMLDivElement>();
  const x = scalePoint<string>().domain(dots.map((dot) => dot.at)).range([LEFT + 26, Math.max(LEFT + 40, width - RIGHT)]);
  const y = scaleLinear().domain([0, Math.max(1, ...dots.map((dot) => dot.number.high))]).nice(4).range([HEIGHT - BOTTOM, TOP]);
  const place_ = (dot: Dot, key: keyof Interval): string => `${x(dot.at) ?? 0},${y(Math.max(0, dot.number[key]))}`;
  const band = [...dots.map((dot) => place_(dot, "high")), ...[...dots].reverse().map((dot) => place_(dot, "low"))].join(" ");
  const every = Math.ceil(dots.length / Math.max(1, Math.floor((width - LEFT) / 70)));
  return (
    <div class="line" ref={place}>
      {width > 0 && (
        <svg ref={picture} width={width} height={HEIGHT} aria-hidden="true">
          {y.ticks(4).map((tick) => (
            <g key={tick}>
              <line class="grid" x1={LEFT} x2={width - RIGHT} y1={y(tick)} y2={y(tick)} />
              <text class="tick" x={LEFT - 8} y={y(tick) + 4} text-anchor="end">
                {count(tick)}
              </text>
            </g>
          ))}
          <polygon class="band" points={band} />
          <polyline class="run" points={dots.map((dot) => place_(dot, "value")).join(" ")} />
          {dots.map((dot, index) => (
            <g key={dot.at}>
              <line class="whisker" x1={x(dot.at)} x2={x(dot.at)} y1={y(Math.max(0, dot.number.low))} y2={y(dot.number.high)} />
              <circle class={dot.here ? "dot here" : "dot"} cx={x(dot.at)} cy={y(dot.number.value)} r={dot.here ? 4.5 : 3} />
              {index % every === 0 && (
                <text class="tick" x={x(dot.at)} y={HEIGHT - 8} text-anchor="middle">
                  {dot.at}
                </text>
              )}
            </g>
          ))}
        </svg>
      )}
      <div class="unseen">
        <table>
        <caption>{title}</caption>
        <thead>
          <tr>
            <th scope="col">epoch</th>
            <th scope="col">number</th>
            <th scope="col">95 % interval</th>
          </tr>
        </thead>
        <tbody>
          {dots.map((dot) => (
            <tr key={dot.at}>
              <th scope="row">{dot.at}</th>
              <td>{count(dot.number.value)}</td>
              <td>{range(dot.number)}</td>
            </tr>
          ))}
        </tbody>
        </table>
      </div>
    </div>
  );
}
