// Topics of one release: what most people ask about in a sentence, then tree, map and detail as one selection.
import { useMemo, useState } from "preact/hooks";
import { growth as fetchGrowth } from "../api/source";
import type { Growth, Release } from "../api/types";
import { saveCsv } from "../download/csv";
import { line, sentence } from "../model/guarantee";
import { choices, lens as lensOf, type Lens } from "../model/lens";
import { palette } from "../model/colours";
import { grown, type Node, type Tree } from "../model/tree";
import { count, giveOrTake, range, shown } from "../numbers/format";
import { difference, NO_DIFFERENCE, ratio, verdict, type Interval } from "../numbers/intervals";
import { useLoaded } from "../state/loading";
import { address, go, useRoute } from "../state/route";
import { Badge } from "./Badge";
import { Detail } from "./Detail";
import { LensPicker, Legend } from "./Legend";
import { Empty } from "./Notice";
import { Saves } from "./Saves";
import { TopicMap } from "./TopicMap";
import { TopicTree } from "./TopicTree";
import { WhyMissing } from "./WhyMissing";

export function Explore({ release }: { release: Release }) {
  const { params } = useRoute();
  const tree = useMemo(() => grown(release), [release]);
  const loaded = useLoaded<Growth | null>(release.id, () => fetchGrowth(release.id));
  const growth = loaded.state === "there" ? loaded.value : null;
  const lens = useMemo(() => lensOf(params["by"] ?? "users", growth), [params["by"], growth]);
  const offered = useMemo(() => choices(release, growth), [release, growth]);
  const colours = useMemo(() => palette(lens, tree.all), [lens, tree]);
  const [pane, showPane] = useState<"tree" | "map">("tree");
  const selected = tree.byId.get(params["topic"] ?? "") ?? null;
  if (tree.all.length === 0) {
    return (
      <>
        <Opening release={release} tree={tree} />
        <Empty title="No topic to show">
          No topic had enough users to be shown under this policy's thresholds. A longer epoch or more users would help. <WhyMissing release={release} />
        </Empty>
      </>
    );
  }
  const select = (node: Node | null): void => {
    go({ topic: node?.topic.id ?? "" });
    if (matchMedia("(max-width: 47rem)").matches) requestAnimationFrame(() => document.getElementById("detail")?.scrollIntoView({ block: "start" }));
  };
  return (
    <>
      <Opening release={release} tree={tree} />
      <div class="lensbar">
        <LensPicker offered={offered} name={lens.name} />
        <Legend lens={lens} palette={colours} />
        <Saves topics={() => saveTopics(release, tree, lens)} release={release} />
      </div>
      <div class="panes" role="group" aria-label="Show topics as">
        {(["tree", "map"] as const).map((name) => (
          <button key={name} type="button" aria-pressed={pane === name} onClick={() => showPane(name)}>
            {name === "tree" ? "List" : "Map"}
          </button>
        ))}
      </div>
      <div class={`explore showing-${pane}`}>
        <TopicTree release={release} tree={tree} lens={lens} palette={colours} selected={selected} select={select} />
        <TopicMap release={release} tree={tree} lens={lens} palette={colours} selected={selected} select={select} />
        <Detail release={release} tree={tree} selected={selected} />
      </div>
    </>
  );
}

/** What a newcomer should know after one look. */
function Opening({ release, tree }: { release: Release; tree: Tree }) {
  const { guarantee, totals } = release;
  const ranked = tree.tops.flatMap((node) => {
    const share = ratio(node.topic.users, totals.users);
    return share ? [{ node, share }] : [];
  });
  const [first, ...next] = ranked;
  return (
    <section class="opening" aria-label="In short">
      <h1>
        {first ? (
          <>
            People ask most about{" "}
            <em>
              <bdi>{first.node.topic.name}</bdi>
            </em>
            : {shown(first.share.value, "share")} of users, <span class="sure">give or take {giveOrTake(first.share)}</span>
          </>
        ) : (
          <>
            <bdi>{release.dataset}</bdi>, {release.epoch}
          </>
        )}
      </h1>
      {first && next[0] && <Next first={first} next={next} />}
      <p class="facts">
        <span>
          <bdi>{release.dataset}</bdi>, {release.epoch}
        </span>
        <span title={range(totals.users)}>≈ {count(totals.users.value)} users</span>
        <span title={range(totals.conversations)}>≈ {count(totals.conversations.value)} conversations</span>
        <span>{count(release.topics.length)} topics</span>
      </p>
      <p class="promise">
        <Badge mode={guarantee.mode} /> {sentence(guarantee)}{" "}
        <button type="button" class="link" onClick={() => go({ card: "open" })}>
          What is promised
        </button>
      </p>
    </section>
  );
}

interface Ranked {
  node: Node;
  share: Interval;
}

const NAMED = 3;

/** Those that follow, and whether the noise leaves open who is first. */
function Next({ first, next }: { first: Ranked; next: readonly Ranked[] }) {
  const open = next.filter(({ node }) => verdict(difference(first.node.topic.users, node.topic.users)) === NO_DIFFERENCE);
  return (
    <p class="next">
      Next:{" "}
      {next.slice(0, NAMED).map(({ node, share }, at) => (
        <span key={node.topic.id}>
          {at > 0 && ", "}
          <a href={address({ topic: node.topic.id })}>
            <bdi>{node.topic.name}</bdi>
          </a>{" "}
          <span class="share" title={range(share, "share")}>
            {shown(share.value, "share")}
          </span>
        </span>
      ))}
      {next.length > NAMED && ` and ${count(next.length - NAMED)} more`}.{" "}
      {open.length > 0 && (
        <span class="sure">
          {open.length === 1 ? "The noise leaves open which of the first two is ahead." : `The noise leaves open which of the first ${count(open.length + 1)} is ahead.`}
        </span>
      )}
    </p>
  );
}

function saveTopics(release: Release, tree: Tree, lens: Lens): void {
  const extra = lens.name === "users" ? [] : [lens.title, `${lens.title}, low`, `${lens.title}, high`];
  const columns = ["id", "parent", "level", "name", "users", "users_low", "users_high", "conversations", "conversations_low", "conversations_high", ...extra];
  const table = tree.all.map((node) => {
    const { id, parent, level, name, users, conversations } = node.topic;
    const seen = extra.length > 0 ? lens.of(node) : null;
    const told = extra.length > 0 ? [seen?.value ?? null, seen?.low ?? null, seen?.high ?? null] : [];
    return [id, parent, level, name, users.value, users.low, users.high, conversations.value, conversations.low, conversations.high, ...told];
  });
  saveCsv(`${release.dataset}-${release.epoch}-topics`, columns, table, line(release));
}
