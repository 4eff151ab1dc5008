// The page: who is signed in, which release and view the address says, and what stands around every view.
import { useEffect } from "preact/hooks";
import type { Release, Summary } from "../api/types";
import { forget, isPublished, release as fetchRelease, summaries } from "../api/source";
import { useLoaded } from "../state/loading";
import { address, go, here, useRoute, type View } from "../state/route";
import { deniedAreas, forgetKey, isSignedIn, useSession } from "../state/session";
import { Ask } from "./Ask";
import { Audit } from "./Audit";
import { Badge } from "./Badge";
import { Compare } from "./Compare";
import { Explore } from "./Explore";
import { GuaranteeCard } from "./GuaranteeCard";
import { Ledger } from "./Ledger";
import { Await, Empty } from "./Notice";
import { PolicyView } from "./PolicyView";
import { SignIn } from "./SignIn";
import { small } from "../numbers/format";

const TABS: [View, string, string][] = [
  ["topics", "Topics", "releases"],
  ["compare", "Compare", "releases"],
  ["ask", "Ask", "queries"],
  ["policy", "Policy", "policy"],
  ["ledger", "Ledger", "budget"],
  ["audit", "Audit", "audit"],
];
const OVER_RELEASES: ReadonlySet<View> = new Set(["topics", "compare", "ask"]);

export function App() {
  useSession();
  if (isPublished() || isSignedIn()) return <SignedIn />;
  return <SignIn />;
}

function SignedIn() {
  const route = useRoute();
  const listed = useLoaded("releases", summaries);
  const list = listed.state === "there" ? listed.value : [];
  const chosen = list.find((one) => one.id === route.params["release"]) ?? list[0];
  const document_ = useLoaded(chosen?.id ?? null, () => fetchRelease(chosen?.id ?? ""));
  const release = document_.state === "there" ? document_.value : null;

  useEffect(() => {
    const title = TABS.find(([view]) => view === route.view)?.[1] ?? "";
    document.title = chosen ? `${title} · ${chosen.dataset} ${chosen.epoch} · sfumato` : `${title} · sfumato`;
  }, [route.view, chosen?.id]);

  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        Skip to content
      </a>
      <Header list={list} chosen={chosen} release={release} view={route.view} />
      <main id="main" tabIndex={-1} class={`view-${route.view}`}>
        {OVER_RELEASES.has(route.view) ? (
          <Await of={listed} what="releases">
            {() =>
              chosen ? (
                <Await of={document_} what="the release">
                  {(found) => <Over release={found} list={list} view={route.view} />}
                </Await>
              ) : (
                <Empty title="No release yet">The gateway makes one when an epoch is complete. Until then there is nothing to show, and nothing is hidden here.</Empty>
              )
            }
          </Await>
        ) : (
          <Officers view={route.view} list={list} />
        )}
      </main>
      {release && route.params["card"] === "open" && <GuaranteeCard release={release} />}
      {release && <p class="print-only guarantee-line">{`Release ${release.id}, ${release.guarantee.mode}, ε ${small(release.guarantee.epsilon)}, δ ${small(release.guarantee.delta)} per ${release.guarantee.unit}; numbers are noisy, ranges are 95 % intervals of the noise.`}</p>}
    </>
  );
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

function Over({ release, list, view }: { release: Release; list: readonly Summary[]; view: View }) {
  if (view === "compare") return <Compare release={release} list={list} />;
  if (view === "ask") return <Ask release={release} list={list} />;
  return <Explore release={release} key={release.id} />;
}

function Officers({ view, list }: { view: View; list: readonly Summary[] }) {
  if (view === "policy") return <PolicyView />;
  if (view === "ledger") return <Ledger list={list} />;
  return <Audit />;
}

function signOut(): void {
  forget();
  history.replaceState(null, "", location.pathname);
  forgetKey();
}

interface Heading {
  list: readonly Summary[];
  chosen: Summary | undefined;
  release: Release | null;
  view: View;
}

function Header({ list, chosen, release, view }: Heading) {
  const denied = deniedAreas();
  const tabs = isPublished() ? TABS.slice(0, 2) : TABS;
  return (
    <header class="top">
      <a class="wordmark" href={address({ topic: "", card: "" }, "topics")} aria-label="sfumato, all topics">
        sfumato
      </a>
      <nav aria-label="Views">
        <ul>
          {tabs.map(([name, title, area]) => (
            <li key={name}>
              <a href={address({ card: "" }, name)} aria-current={view === name ? "page" : undefined} class={denied.has(area) ? "barred" : ""}>
                {title}
                {denied.has(area) && <span class="unseen"> (not for this role)</span>}
              </a>
            </li>
          ))}
        </ul>
      </nav>
      <div class="controls">
        {list.length > 1 && (
          <label class="picker">
            <span class="unseen">Release</span>
            <select value={chosen?.id} onChange={(event) => go({ release: event.currentTarget.value, topic: "", b: "" })}>
              {list.map((one) => (
                <option key={one.id} value={one.id}>
                  {`${one.dataset} · ${one.epoch}${one.mode === "guarded" ? " · guarded" : ""}`}
                </option>
              ))}
            </select>
          </label>
        )}
        {release && <Promised release={release} />}
        {!isPublished() && (
          <button type="button" class="quiet-button" onClick={signOut}>
            Sign out
          </button>
        )}
      </div>
    </header>
  );
}

function Promised({ release }: { release: Release }) {
  const { mode, epsilon } = release.guarantee;
  const open = here().params["card"] === "open";
  return (
    <button type="button" id="open-card" class={`promised ${mode}`} aria-haspopup="dialog" aria-expanded={open} onClick={() => go({ card: "open" })}>
      <Badge mode={mode} />
      <span class="epsilon">ε = {small(epsilon)}</span>
      <span class="unseen"> What is guaranteed</span>
    </button>
  );
}
