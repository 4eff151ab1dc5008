// One topic: what it is about, how many and how sure, how it divides, how it went over time.
import { useMemo } from "preact/hooks";
import { isPublished, trend as fetchTrend } from "../api/source";
import type { Estimate, FacetCount, Release, Trend } from "../api/types";
import { Bars } from "../charts/Bars";
import { Figure } from "../charts/Figure";
import { Line } from "../charts/Line";
import { line } from "../model/guarantee";
import { path, type Node, type Tree } from "../model/tree";
import { count, range, shown, valueName, words } from "../numbers/format";
import { ratio } from "../numbers/intervals";
import { useLoaded } from "../state/loading";
import { address, go } from "../state/route";
import { Badge } from "./Badge";
import { Failed } from "./Notice";
import { WhyMissing } from "./WhyMissing";

export function Detail({ release, tree, selected }: { release: Release; tree: Tree; selected: Node | null }) {
  return (
    <section class="panel detail" id="detail" aria-labelledby="detail-heading" aria-live="polite">
      {selected ? <OneTopic release={release} tree={tree} node={selected} /> : <Everything release={release} />}
    </section>
  );
}

function Everything({ release }: { release: Release }) {
  const facets = Object.entries(release.facets);
  return (
    <>
      <h2 id="detail-heading">Everybody</h2>
      {release.guarantee.mode === "guarded" && <Badge mode="guarded" />}
      <p class="note">Choose a topic in the list or on the map to see what it is about and how it divides.</p>
      <Counts users={release.totals.users} conversations={release.totals.conversations} />
      {facets.map(([name, counts]) => (
        <Facet key={name} release={release} name={name} counts={counts} whole={release.totals.users} of="everybody" />
      ))}
      <WhyMissing release={release} />
    </>
  );
}

function OneTopic({ release, tree, node }: { release: Release; tree: Tree; node: Node }) {
  const { topic } = node;
  const above = path(node).slice(0, -1);
  const share = ratio(topic.users, release.totals.users);
  return (
    <>
      <nav aria-label="Above this topic" class="above-topic">
        <a href={address({ topic: "" })}>All topics</a>
        {above.map((one) => (
          <span key={one.topic.id}>
            {" › "}
            <a href={address({ topic: one.topic.id })}>
              <bdi>{one.topic.name}</bdi>
            </a>
          </span>
        ))}
      </nav>
      <h2 id="detail-heading">
        <bdi>{topic.name}</bdi>
      </h2>
      {release.guarantee.mode === "guarded" && <Badge mode="guarded" />}
      {topic.description && (
        <p class="description">
          <bdi>{topic.description}</bdi>
        </p>
      )}
      <Counts users={topic.users} conversations={topic.conversations} />
      {share && (
        <p class="note">
          {shown(share.value, "share")} of all users ({range(share, "share")}).
        </p>
      )}
      <div class="actions">
        <button type="button" onClick={() => go({ a: topic.id, b: "", topic: topic.id }, { view: "compare" })}>
          Compare with…
        </button>
      </div>
      <Phrases node={node} />
      {node.children.length > 0 && <Below node={node} />}
      <OverTime release={release} node={node} />
      {Object.entries(topic.facets).map(([name, counts]) => (
        <Facet key={name} release={release} name={name} counts={counts} whole={topic.users} of={topic.name} />
      ))}
      <WhyMissing release={release} />
      <p class="note">Ranges are 95 % intervals of the noise. They do not show the effect of the limits on each {release.guarantee.unit}'s contribution. {tree.levels.length > 1 && `Topic ${topic.id}.`}</p>
    </>
  );
}

function Counts({ users, conversations }: { users: Estimate; conversations: Estimate }) {
  return (
    <dl class="figures">
      {(
        [
          ["Users", users],
          ["Conversations", conversations],
        ] as const
      ).map(([name, one]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            ≈ {count(one.value)} <small>{range(one)}</small>
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Phrases({ node }: { node: Node }) {
  if (node.topic.phrases.length === 0) return null;
  return (
    <section>
      <h3>Phrases people used</h3>
      <ul class="phrases">
        {node.topic.phrases.map((one) => (
          <li key={one.text} title={one.users ? `${range(one.users)} users` : "how many is not shown"}>
            <bdi>{one.text}</bdi> {one.users && <small>{count(one.users.value)}</small>}
          </li>
        ))}
      </ul>
      {node.topic.phrases.some((one) => !one.users) && <p class="note">Without a number: used by enough people to be shown, how many is not.</p>}
    </section>
  );
}

function Below({ node }: { node: Node }) {
  return (
    <section>
      <h3>Topics below it</h3>
      <ul class="below">
        {node.children.slice(0, 12).map((one) => (
          <li key={one.topic.id}>
            <a href={address({ topic: one.topic.id })}>
              <bdi>{one.topic.name}</bdi>
            </a>{" "}
            <small>{count(one.topic.users.value)}</small>
          </li>
        ))}
        {node.children.length > 12 && <li class="note">and {node.children.length - 12} more in the list</li>}
      </ul>
    </section>
  );
}

interface FacetProps {
  release: Release;
  name: string;
  counts: readonly FacetCount[];
  whole: Estimate;
  of: string;
}

const MOST = 10;

function Facet({ release, name, counts, whole, of }: FacetProps) {
  const shownValues = useMemo(() => {
    const there = counts.filter((one) => one.users);
    const long = counts.length > MOST;
    return long ? there.sort((a, b) => (b.users?.value ?? 0) - (a.users?.value ?? 0)).slice(0, MOST) : [...counts];
  }, [counts]);
  const there = counts.filter((one) => one.users).length;
  const [hidden, more] = [counts.length - there, there - shownValues.filter((one) => one.users).length];
  const notes = [
    ...(more > 0 ? [`${more} more ${more === 1 ? "is" : "are"} in the CSV.`] : []),
    ...(hidden > 0 ? [`${hidden} of ${counts.length} values are withheld: too few people to show safely.`] : []),
  ];
  const bars = shownValues.map((one) => ({ name: valueName(name, one.value), number: one.users ? ratio(one.users, whole) : null }));
  const rows = counts.map((one) => [one.value, one.users?.value ?? null, one.users?.low ?? null, one.users?.high ?? null]);
  const title = `Share by ${words(name)}`;
  return (
    <Figure title={title} file={`${release.epoch}-${of}-${name}`} guarantee={line(release)} columns={[name, "users", "users_low", "users_high"]} rows={rows} note={notes.join(" ")}>
      {(picture) => (bars.some((bar) => bar.number) ? <Bars title={title} bars={bars} scale="share" picture={picture} /> : <p class="note">No value had enough users to be shown.</p>)}
    </Figure>
  );
}

function OverTime({ release, node }: { release: Release; node: Node }) {
  const name = isPublished() ? null : `${release.id} ${node.topic.id}`;
  const loaded = useLoaded<Trend>(name, (signal) => fetchTrend(release.dataset, release.id, node.topic.id, signal));
  if (name === null || loaded.state === "loading") return null;
  if (loaded.state === "failed") return loaded.kind === "absent" ? null : <Failed {...loaded} />;
  const found = loaded.value;
  if (found.points.length < 2) return <p class="note">No trend: no other epoch has a topic of this name.</p>;
  const dots = found.points.map((point) => ({ at: point.epoch, number: point.users, here: point.release === release.id }));
  const rows = found.points.map((point) => [point.epoch, point.users.value, point.users.low, point.users.high, point.guarantee.mode]);
  const guarded = found.points.some((point) => point.guarantee.mode === "guarded");
  return (
    <Figure title="Users over time" file={`${release.dataset}-${node.topic.name}-trend`} guarantee={line(release)} columns={["epoch", "users", "users_low", "users_high", "mode"]} rows={rows} note={`Known again by its ${found.matching}. Each epoch is other data with noise of its own.${guarded ? " Some epochs are guarded: names there carry no formal guarantee." : ""}`}>
      {(picture) => <Line title="Users over time" dots={dots} picture={picture} />}
    </Figure>
  );
}
