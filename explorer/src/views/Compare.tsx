// Two released numbers side by side: topics, groups or epochs; their difference with its interval, and what may be said of it.
import { useMemo } from "preact/hooks";
import { asked } from "../api/client";
import { isPublished, release as fetchRelease } from "../api/source";
import type { Comparison, Estimate, Release, Summary } from "../api/types";
import { Bars } from "../charts/Bars";
import { Difference } from "../charts/Difference";
import { Figure } from "../charts/Figure";
import { line } from "../model/guarantee";
import { grown, matching, type Tree } from "../model/tree";
import { capital, range, shown, valueName, words, type Scale } from "../numbers/format";
import { difference, differenceOfRatios, NO_DIFFERENCE, ratio, verdict, type Interval } from "../numbers/intervals";
import { useLoaded, type Loaded } from "../state/loading";
import { go, useRoute } from "../state/route";
import { Badge } from "./Badge";
import { Await } from "./Notice";
import { Search } from "./Search";
import { WhyMissing } from "./WhyMissing";

type Measure = "users" | "conversations" | "share";
type Letter = "a" | "b";

interface Side {
  letter: Letter;
  release: Release;
  tree: Tree;
  topic: string;
  facet: string;
  value: string;
}

interface Result {
  a: Interval | null;
  b: Interval | null;
  difference: Interval | null;
  verdict: string;
  method: string;
}

const MEASURES: Record<Measure, string> = { users: "Users", conversations: "Conversations", share: "Share of users" };

export function Compare({ release, list }: { release: Release; list: readonly Summary[] }) {
  const { params } = useRoute();
  const measure = (["users", "conversations", "share"] as const).find((one) => one === params["measure"]) ?? "users";
  const a = useSide("a", params, release);
  const b = useSide("b", params, release);
  return (
    <div class="narrow">
      <h1>Compare</h1>
      <p class="lead">Two topics, two groups, or the same topic in two epochs. Both numbers are noisy, so their difference has an interval too.</p>
      <label class="inline">
        <span>What to compare</span>
        <select value={measure} onChange={(event) => go({ measure: event.currentTarget.value === "users" ? "" : event.currentTarget.value })}>
          {Object.entries(MEASURES).map(([name, title]) => (
            <option key={name} value={name}>
              {title}
            </option>
          ))}
        </select>
      </label>
      <div class="sides">
        <Await of={a} what="the first side">
          {(side) => <Picker side={side} list={list} measure={measure} />}
        </Await>
        <Await of={b} what="the second side">
          {(side) => <Picker side={side} list={list} measure={measure} />}
        </Await>
      </div>
      {a.state === "there" && b.state === "there" && <Outcome a={a.value} b={b.value} measure={measure} />}
    </div>
  );
}

function useSide(letter: Letter, params: Readonly<Record<string, string>>, release: Release): Loaded<Side> {
  const id = params[`${letter}r`] || release.id;
  const loaded = useLoaded(id, () => fetchRelease(id));
  const tree = useMemo(() => (loaded.state === "there" ? grown(loaded.value) : null), [loaded]);
  if (loaded.state !== "there" || tree === null) return loaded as Loaded<Side>;
  const [facet = "", ...rest] = (params[`${letter}f`] ?? "").split(":");
  return { state: "there", value: { letter, release: loaded.value, tree, topic: params[letter] ?? "", facet, value: rest.join(":") } };
}

const topicOf = (side: Side) => side.tree.byId.get(side.topic)?.topic ?? null;

function named(side: Side): string {
  const part = side.facet ? `, ${words(side.facet)}: ${valueName(side.facet, side.value)}` : "";
  return `${topicOf(side)?.name ?? "Everybody"}${part}`;
}

function Picker({ side, list, measure }: { side: Side; list: readonly Summary[]; measure: Measure }) {
  const { letter, release, tree } = side;
  const facets = topicOf(side)?.facets ?? release.facets;
  return (
    <fieldset class="side">
      <legend>{letter === "a" ? "First" : "Second"}</legend>
      <p class="side-name">
        <bdi>{named(side)}</bdi>
      </p>
      <p class="note">
        <bdi>{release.dataset}</bdi>, {release.epoch} <Badge mode={release.guarantee.mode} />
      </p>
      <Search release={release} tree={tree} find={(text) => matching(tree, text)} choose={(node) => go({ [letter]: node.topic.id, [`${letter}f`]: "" })} />
      {side.topic && (
        <button type="button" class="quiet-button" onClick={() => go({ [letter]: "", [`${letter}f`]: "" })}>
          Everybody instead
        </button>
      )}
      {measure !== "conversations" && Object.keys(facets).length > 0 && (
        <label>
          <span>Group</span>
          <select value={side.facet ? `${side.facet}:${side.value}` : ""} onChange={(event) => go({ [`${letter}f`]: event.currentTarget.value })}>
            <option value="">all of them</option>
            {Object.entries(facets).map(([name, counts]) => (
              <optgroup key={name} label={words(name)}>
                {counts
                  .filter((one) => one.users)
                  .map((one) => (
                    <option key={one.value} value={`${name}:${one.value}`}>
                      {valueName(name, one.value)}
                    </option>
                  ))}
              </optgroup>
            ))}
          </select>
        </label>
      )}
      {list.length > 1 && (
        <label>
          <span>Epoch</span>
          <select value={release.id} onChange={(event) => go(moved(side, event.currentTarget.value))}>
            {list.map((one) => (
              <option key={one.id} value={one.id}>
                {`${one.dataset} · ${one.epoch}${one.mode === "guarded" ? " · guarded" : ""}`}
              </option>
            ))}
          </select>
        </label>
      )}
    </fieldset>
  );
}

/** Another release: its topics have other ids, so only a declared topic is carried over, and the group. */
const moved = (side: Side, id: string): Record<string, string> => {
  const rank = /^(leaf|middle|top)-[0-9]{3,}$/.test(side.topic);
  return { [`${side.letter}r`]: id, [side.letter]: rank ? "" : side.topic };
};

function Outcome({ a, b, measure }: { a: Side; b: Side; measure: Measure }) {
  const same = a.release.id === b.release.id && a.topic === b.topic && a.facet === b.facet && a.value === b.value;
  const bare = measure === "share" && [a, b].some((side) => !side.topic && !side.facet);
  const name = same || bare ? null : JSON.stringify([measure, asSide(a), asSide(b)]);
  const loaded = useLoaded<Result>(name, (signal) => compared(a, b, measure, signal));
  if (same) return <p class="state">Choose a second topic, group or epoch to compare with.</p>;
  if (bare) return <p class="state">A share is of something: choose a topic or a group on both sides.</p>;
  return (
    <Await of={loaded} what="the comparison">
      {(result) => <Told a={a} b={b} measure={measure} result={result} />}
    </Await>
  );
}

function Told({ a, b, measure, result }: { a: Side; b: Side; measure: Measure; result: Result }) {
  const scale: Scale = measure === "share" ? "share" : "count";
  const [nameA, nameB] = a.release.id === b.release.id ? [named(a), named(b)] : [`${named(a)}, ${a.release.epoch}`, `${named(b)}, ${b.release.epoch}`];
  const rows = [
    [nameA, result.a?.value ?? null, result.a?.low ?? null, result.a?.high ?? null],
    [nameB, result.b?.value ?? null, result.b?.low ?? null, result.b?.high ?? null],
    ["difference", result.difference?.value ?? null, result.difference?.low ?? null, result.difference?.high ?? null],
  ];
  return (
    <section class="outcome" aria-live="polite">
      <p class="verdict">{plain(result, nameA, nameB)}</p>
      <Figure title={MEASURES[measure]} level={2} file="comparison" guarantee={a.release.id === b.release.id ? line(a.release) : `${line(a.release)} | ${line(b.release)}`} columns={["what", "value", "low", "high"]} rows={rows}>
        {(picture) => (
          <Bars
            title={MEASURES[measure]}
            scale={scale}
            picture={picture}
            bars={[
              { name: nameA, number: result.a },
              { name: nameB, number: result.b },
            ]}
          />
        )}
      </Figure>
      {result.difference && <Difference scale={scale} apart={result.difference} left={nameB} right={nameA} />}
      <p class="note">{capital(result.method)}. Each interval holds alone: of twenty comparisons of equal numbers, about one finds a difference.</p>
      {(result.a === null || result.b === null) && <WhyMissing release={a.release} />}
    </section>
  );
}

function plain(result: Result, a: string, b: string): string {
  if (result.verdict === "a is larger") return `${a} is larger than ${b}.`;
  if (result.verdict === "b is larger") return `${b} is larger than ${a}.`;
  if (result.verdict === NO_DIFFERENCE) return "No difference that the noise allows.";
  return "Can't be compared: one side is withheld.";
}

interface SideAsked {
  release: string;
  topic?: string;
  facet?: string;
  value?: string;
}

function asSide(side: Side): SideAsked {
  return { release: side.release.id, ...(side.topic ? { topic: side.topic } : {}), ...(side.facet ? { facet: side.facet, value: side.value } : {}) };
}

async function compared(a: Side, b: Side, measure: Measure, signal: AbortSignal): Promise<Result> {
  if (isPublished()) return reckoned(a, b, measure);
  const said = await asked<Comparison>("./v1/compare", { body: { measure, a: asSide(a), b: asSide(b) }, signal });
  return { a: said.a.number, b: said.b.number, difference: said.difference, verdict: said.verdict, method: said.method };
}

/** The same as the server reckons, for a page without one. */
export function reckoned(a: Side, b: Side, measure: Measure): Result {
  const [partA, partB] = [partOf(a, measure), partOf(b, measure)];
  const number = (part: Estimate | null, side: Side): Interval | null => (part === null ? null : measure === "share" ? ratio(part, wholeOf(side)) : part);
  const [first, second] = [number(partA, a), number(partB, b)];
  const method = measure === "share" ? "Fieller's theorem for each share, MOVER for their difference" : "difference of two Gaussians with independent noise";
  if (partA === null || partB === null) return { a: first, b: second, difference: null, verdict: "can't be compared: suppressed", method };
  const opposed = (part: Side, other: Side): boolean => part.facet !== "" && part.topic === other.topic && other.facet === "" && part.release.id === other.release.id;
  const apart = measure !== "share" ? difference(partA, partB) : first && second ? differenceOfRatios(first, second, opposed(a, b) || opposed(b, a)) : null;
  return { a: first, b: second, difference: apart, verdict: verdict(apart), method };
}

function partOf(side: Side, measure: Measure): Estimate | null {
  const place = topicOf(side);
  if (side.facet) return (place?.facets ?? side.release.facets)[side.facet]?.find((one) => one.value === side.value)?.users ?? null;
  const totals = place ?? side.release.totals;
  return measure === "conversations" ? totals.conversations : totals.users;
}

const wholeOf = (side: Side): Estimate => (side.facet ? (topicOf(side)?.users ?? side.release.totals.users) : side.release.totals.users);

export const spelled = (one: Interval, scale: Scale): string => `${shown(one.value, scale)} (${range(one, scale)})`;
