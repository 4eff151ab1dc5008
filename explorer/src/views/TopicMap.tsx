// The map: one circle for each released topic, its area the noisy number of users, its edge as soft as that number is unsure.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { memo } from "../charts/memo";
import { select as d3select } from "d3-selection";
import "d3-transition";
import { zoom as d3zoom, zoomIdentity, type D3ZoomEvent, type ZoomBehavior, type ZoomTransform } from "d3-zoom";
import type { Release } from "../api/types";
import { useSize } from "../charts/width";
import { savePng, saveSvg } from "../download/picture";
import { STEPS, type Palette } from "../model/colours";
import { line } from "../model/guarantee";
import { labelled, type Frame, type Label } from "../model/labels";
import { bounds, laidOut, type Spot } from "../model/layout";
import type { Lens } from "../model/lens";
import { path, type Node, type Tree } from "../model/tree";
import { count, range, shown } from "../numbers/format";
import { Badge } from "./Badge";

interface Props {
  release: Release;
  tree: Tree;
  lens: Lens;
  palette: Palette;
  selected: Node | null;
  select: (node: Node | null) => void;
}

const EDGE = 22; // pixels around the whole map
const BUTTONS = 44; // pixels at its right, where one zooms: no circle of the whole map, nor its name, lies under them
const LEVEL_EVERY = 2.2; // zoom by so much to see the next level
const REST_MS = 70; // while one moves without zooming, names move along and are chosen anew after this pause
const SOFTNESS = [0, 0.3, 0.5, 0.65, 0.78, 0.88, 0.95, 0.99];
const calm = (): boolean => matchMedia("(prefers-reduced-motion: reduce)").matches;

export function TopicMap({ release, tree, lens, palette, selected, select }: Props) {
  const [place, size] = useSize<HTMLDivElement>();
  const svg = useRef<SVGSVGElement>(null);
  const world = useRef<SVGGElement>(null);
  const names = useRef<SVGGElement>(null);
  const drawn = useRef<ZoomTransform>(zoomIdentity);
  const sight = useRef<Place | null>(null);
  const [at, move] = useState<ZoomTransform>(zoomIdentity);
  const [pointed, point] = useState<{ node: Node; x: number; y: number } | null>(null);
  const behaviour = useRef<ZoomBehavior<SVGSVGElement, unknown> | null>(null);
  const { width, height } = size;
  const aspect = width > 0 ? Math.max(0.6, Math.min(2, Math.round((4 * width) / Math.max(1, height)) / 4)) : 1;
  const levels = useMemo(() => (width > 0 ? laidOut(tree, aspect) : tree.levels.map(() => [])), [tree, width > 0, aspect]);
  const { left, top, wide, tall } = useMemo(() => bounds(levels), [levels]);
  const free = Math.max(0, width - BUTTONS);
  const fit = Math.max(1e-6, Math.min((free - 2 * EDGE) / wide, (height - 2 * EDGE) / tall));
  const whole = useMemo(() => zoomIdentity.translate(free / 2 - (left + wide / 2) * fit, height / 2 - (top + tall / 2) * fit).scale(fit), [free, height, fit, left, top]);

  useLayoutEffect(() => {
    if (!svg.current || width === 0) return;
    const picture = d3select(svg.current);
    let frame = 0;
    let rest = 0;
    const zooming = d3zoom<SVGSVGElement, unknown>()
      .scaleExtent([fit * 0.7, fit * 60])
      .translateExtent([[left - wide * 0.5, top - tall * 0.5], [left + wide * 1.5, top + tall * 1.5]])
      .extent([[0, 0], [width, height]])
      .on("zoom", (event: D3ZoomEvent<SVGSVGElement, unknown>) => {
        world.current?.setAttribute("transform", event.transform.toString());
        cancelAnimationFrame(frame);
        clearTimeout(rest);
        if (event.transform.k === drawn.current.k) {
          names.current?.setAttribute("transform", `translate(${event.transform.x - drawn.current.x} ${event.transform.y - drawn.current.y})`);
          rest = window.setTimeout(() => move(event.transform), REST_MS);
        } else frame = requestAnimationFrame(() => move(event.transform));
      });
    behaviour.current = zooming;
    picture.call(zooming).on("dblclick.zoom", null);
    const begun = resized(sight.current, { fit, width, height }, drawn.current, whole);
    picture.call(zooming.transform, begun);
    cancelAnimationFrame(frame);
    clearTimeout(rest);
    move(begun); // at once: the next frame would still be drawn at the level of the place before
    sight.current = { fit, width, height };
    return () => {
      cancelAnimationFrame(frame);
      clearTimeout(rest);
      picture.on(".zoom", null);
    };
  }, [width > 0, whole]);

  useLayoutEffect(() => {
    drawn.current = at;
    names.current?.removeAttribute("transform");
  }, [at]);

  const depth = at.k <= 0 ? 0 : Math.max(0, Math.min(levels.length - 1, Math.floor(Math.log(at.k / fit) / Math.log(LEVEL_EVERY) + 0.001)));
  const spotOf = useMemo(() => new Map(levels.flat().map((spot) => [spot.node, spot])), [levels]);

  const to = (transform: ZoomTransform): void => {
    if (!svg.current || !behaviour.current) return;
    const picture = d3select(svg.current);
    if (calm()) picture.call(behaviour.current.transform, transform);
    else picture.transition().duration(350).call(behaviour.current.transform, transform);
  };
  const by = (factor: number): void => {
    const k = Math.max(fit * 0.7, Math.min(fit * 60, at.k * factor));
    const [x, y] = [width / 2, height / 2];
    to(zoomIdentity.translate(x - ((x - at.x) * k) / at.k, y - ((y - at.y) * k) / at.k).scale(k));
  };

  useEffect(() => {
    const spot = selected ? spotOf.get(selected) : undefined;
    if (!spot || width === 0) return;
    const level = levels.findIndex((one) => one.includes(spot));
    const k = Math.max(at.k, fit * LEVEL_EVERY ** level * 1.05);
    const [x, y] = [spot.x * at.k + at.x, spot.y * at.k + at.y];
    const inSight = x > 30 && y > 30 && x < width - 30 && y < height - 30 && k === at.k;
    if (!inSight) to(zoomIdentity.translate(width / 2 - spot.x * k, height / 2 - spot.y * k).scale(k));
  }, [selected, spotOf]);

  const frame: Frame = { k: at.k, x: at.x, y: at.y, width, height };
  const labels = width > 0 ? labelled(levels[depth] ?? [], frame, selected ? ((levels[depth] ?? []).find((spot) => spot.node === selected) ?? null) : null) : [];
  const onPoint = (event: PointerEvent): void => {
    const id = (event.target as Element).getAttribute?.("data-spot");
    const node = id ? tree.byId.get(id) : undefined;
    if (event.buttons !== 0 || !node) return point(null);
    const box = svg.current?.getBoundingClientRect();
    point(box ? { node, x: event.clientX - box.left, y: event.clientY - box.top } : null);
  };
  const onClick = (event: MouseEvent): void => {
    const id = (event.target as Element).getAttribute?.("data-spot");
    const node = id ? tree.byId.get(id) : undefined;
    if (node) select(node);
  };
  const name = `${release.dataset}-${release.epoch}-map`;
  const title = `Topics of ${release.dataset}, ${release.epoch}`;
  return (
    <section class="panel map-panel" aria-label="Topics as a map">
      <div class="map" ref={place}>
        <svg ref={svg} width={width} height={height} data-level={depth} class="map-svg" role="img" aria-label={`Map of ${count(tree.all.length)} topics; the list has the same topics`} onClick={onClick} onPointerMove={onPoint} onPointerLeave={() => point(null)}>
          <Softness />
          <g ref={world}>
            <Circles levels={levels} depth={depth} lens={lens} palette={palette} selected={selected} {...inSight(frame)} />
          </g>
          <g ref={names} class="labels" aria-hidden="true">
            {labels.map((label) => (
              <Name key={label.spot.node.topic.id} label={label} lens={lens} palette={palette} chosen={label.spot.node === selected} />
            ))}
          </g>
        </svg>
        {pointed && <Tip {...pointed} lens={lens} width={width} />}
        <div class="zooms" role="group" aria-label="Zoom">
          <button type="button" aria-label="Zoom in" onClick={() => by(LEVEL_EVERY)}>
            +
          </button>
          <button type="button" aria-label="Zoom out" onClick={() => by(1 / LEVEL_EVERY)}>
            −
          </button>
          <button type="button" aria-label="Show the whole map" onClick={() => to(whole)}>
            ⤢
          </button>
        </div>
      </div>
      <div class="note map-note">
        <p>
          {release.guarantee.mode === "guarded" && <Badge mode="guarded" />}
          One circle for each topic, never for a conversation. Area: users. Near: similar names. {levels.length > 1 && `Level ${depth + 1} of ${levels.length}${depth + 1 < levels.length ? "; the next is in mist" : ""}.`}
        </p>
        <span class="saves">
          <button type="button" class="quiet-button" onClick={() => svg.current && saveSvg(svg.current, name, title, line(release))}>
            SVG
          </button>
          <button type="button" class="quiet-button" onClick={() => void (svg.current && savePng(svg.current, name, title, line(release)))}>
            PNG
          </button>
        </span>
      </div>
    </section>
  );
}

interface Place {
  fit: number;
  width: number;
  height: number;
}

/** The same middle at the same zoom in a place of another size; at first, the whole map. */
function resized(before: Place | null, now: Place, { k, x, y }: ZoomTransform, whole: ZoomTransform): ZoomTransform {
  if (before === null) return whole;
  const [middle, level] = [[(before.width / 2 - x) / k, (before.height / 2 - y) / k] as const, (k / before.fit) * now.fit];
  return zoomIdentity.translate(now.width / 2 - middle[0] * level, now.height / 2 - middle[1] * level).scale(level);
}

/** A gradient for each tone and softness: solid to the low end of the interval, gone at the high end. */
const Softness = memo(function Softness() {
  const tones = ["plain", "none", ...[...Array(STEPS).keys()].flatMap((step) => [`rising-${step}`, `turning-${step}`])];
  return (
    <defs>
      <radialGradient id="mist" class="tone plain">
        <stop offset="0" class="soft-solid" />
        <stop offset="1" class="soft-gone" />
      </radialGradient>
      {tones.flatMap((tone) =>
        SOFTNESS.map((solid, soft) => (
          <radialGradient id={`soft-${tone}-${soft}`} key={`${tone}-${soft}`} class={`tone ${tone}`}>
            <stop offset={solid} class="soft-solid" />
            <stop offset="1" class="soft-gone" />
          </radialGradient>
        )),
      )}
    </defs>
  );
});

interface NameProps {
  label: Label;
  lens: Lens;
  palette: Palette;
  chosen: boolean;
}

/** The name of a topic, light on a dark circle or with a rim of paper; beneath it what the map is coloured by. */
function Name({ label: { spot, x, y, size, lines, within, number }, lens, palette, chosen }: NameProps) {
  const { tone, sureness } = painted(spot, lens, palette);
  const colour = lens.of(spot.node);
  return (
    <text x={x} y={y} font-size={size} class={`${within && sureness === "sure" ? `within on-${tone}` : "over"}${chosen ? " chosen" : ""}`}>
      {lines.map((text, row) => (
        <tspan key={row} x={x} dy={row === 0 ? 0 : size * 1.22}>
          {text}
        </tspan>
      ))}
      {number && (
        <tspan class="value" x={x} dy={size * 1.15} font-size={size * 0.82}>
          {colour ? `${lens.scale === "count" ? "≈ " : ""}${shown(colour.value, lens.scale)}` : "not shown"}
        </tspan>
      )}
    </text>
  );
}

function painted(spot: Spot, lens: Lens, palette: Palette): { tone: string; sureness: string } {
  const { step, sureness } = palette.shade(lens.of(spot.node));
  return { tone: step === null ? "none" : palette.kind === "plain" ? "plain" : `${palette.kind}-${step}`, sureness };
}

interface Sight {
  left: number;
  top: number;
  span: number;
}

/** What can be seen and a margin around it, in steps, so that circles come and go seldom while one moves. */
function inSight({ k, x, y, width, height }: Frame): Sight {
  const span = 2 ** (Math.ceil(2 * Math.log2(Math.max(width, height, 1) / k)) / 2);
  const step = span / 4;
  return { left: Math.floor(-x / k / step) * step - step, top: Math.floor(-y / k / step) * step - step, span: 1.75 * span };
}

interface CirclesProps extends Sight {
  levels: readonly Spot[][];
  depth: number;
  lens: Lens;
  palette: Palette;
  selected: Node | null;
}

const MANY = 300; // circles of one part: in one frame no more than these come and go

const seen = ({ left, top, span }: Sight, spots: readonly Spot[]): readonly Spot[] =>
  spots.filter(({ x, y, high }) => x + high > left && y + high > top && x - high < left + span && y - high < top + span);

const Circles = memo(function Circles({ levels, depth, lens, palette, selected, left, top, span }: CirclesProps) {
  const here = levels[depth] ?? [];
  const parts = useMemo(() => [...Array(Math.ceil(here.length / MANY)).keys()].map((part) => here.slice(part * MANY, (part + 1) * MANY)), [here]);
  const few = here.length < MANY; // all of them are drawn, in sight or not
  const sight = useMemo(() => (few ? null : { left, top, span }), few ? [few] : [few, left, top, span]);
  const aim = useMemo(() => ({ sight, lens, palette }), [sight, lens, palette]);
  const drawn = useOneByOne(parts, aim);
  const chosen = new Set(selected ? path(selected) : []);
  return (
    <>
      <Mist spots={levels[depth + 1] ?? []} left={left} top={top} span={span} />
      {parts.map((spots, at) => {
        const by = drawn[at];
        return by && <Part key={`${depth} ${at}`} spots={spots} {...by} />;
      })}
      {chosen.size > 0 &&
        here
          .filter((spot) => chosen.has(spot.node))
          .map((spot) => <circle key={spot.node.topic.id} class="chosen" data-spot={spot.node.topic.id} cx={spot.x} cy={spot.y} r={Math.max(1, spot.high)} />)}
    </>
  );
});

const Mist = memo(function Mist({ spots, ...sight }: Sight & { spots: readonly Spot[] }) {
  const near = spots.length < MANY ? spots : seen(sight, spots);
  if (near.length >= MANY) return <path class="hints" d={near.map((spot) => `M${spot.x.toFixed(1)} ${spot.y.toFixed(1)}h0`).join("")} />;
  return (
    <>
      {near.map((spot) => (
        <circle key={spot.node.topic.id} class="hint" cx={spot.x} cy={spot.y} r={Math.max(0.6, spot.r * 0.8)} fill="url(#mist)" />
      ))}
    </>
  );
});

/** What each part was last drawn by: one of them is brought up to date at once, and with each frame that follows one more. */
function useOneByOne<Aim>(parts: readonly unknown[], aim: Aim): readonly (Aim | undefined)[] {
  const held = useRef<{ parts: readonly unknown[]; drawn: (Aim | undefined)[]; next: number }>({ parts, drawn: [], next: 0 });
  const [, again] = useState(0);
  if (held.current.parts !== parts) held.current = { parts, drawn: [], next: 0 };
  const { drawn, next } = held.current;
  const order = parts.map((_, step) => (next + step) % parts.length).filter((at) => drawn[at] !== aim);
  const [first] = order;
  if (first !== undefined) {
    drawn[first] = aim;
    held.current.next = (first + 1) % parts.length;
  }
  useEffect(() => {
    if (order.length < 2) return;
    const frame = requestAnimationFrame(() => again((turn) => turn + 1));
    return () => cancelAnimationFrame(frame);
  });
  return drawn;
}

interface PartProps {
  spots: readonly Spot[];
  lens: Lens;
  palette: Palette;
  sight: Sight | null;
}

const Part = memo(function Part({ spots, lens, palette, sight }: PartProps) {
  return (
    <>
      {(sight ? seen(sight, spots) : spots).map((spot) => {
        const { tone, sureness } = painted(spot, lens, palette);
        return (
          <circle
            key={spot.node.topic.id}
            data-spot={spot.node.topic.id}
            class={`spot ${sureness}`}
            cx={spot.x}
            cy={spot.y}
            r={Math.max(1, spot.high)}
            fill={`url(#soft-${tone}-${softness(spot)})`}
          />
        );
      })}
    </>
  );
});

function softness(spot: Spot): number {
  const solid = spot.high > 0 ? spot.low / spot.high : 0;
  return SOFTNESS.reduce((best, one, at) => (Math.abs(one - solid) < Math.abs((SOFTNESS[best] ?? 0) - solid) ? at : best), 0);
}

function Tip({ node, x, y, lens, width }: { node: Node; x: number; y: number; lens: Lens; width: number }) {
  const colour = lens.name === "users" ? null : lens.of(node);
  return (
    <div class={x > width / 2 ? "tip left" : "tip"} style={{ left: `${x}px`, top: `${y}px` }} aria-hidden="true">
      <strong>
        <bdi>{node.topic.name}</bdi>
      </strong>
      <span>
        ≈ {count(node.topic.users.value)} users ({range(node.topic.users)})
      </span>
      {lens.name !== "users" && (
        <span>
          {lens.title}: {colour ? `${shown(colour.value, lens.scale)} (${range(colour, lens.scale)})` : "not shown"}
        </span>
      )}
    </div>
  );
}
