// The ledger for those who may read it: every charge, and what is left of each epoch's and year's budget.
import { asked } from "../api/client";
import type { Budget, Charge, Charges, Summary } from "../api/types";
import { saveCsv } from "../download/csv";
import { count, small, words } from "../numbers/format";
import { useLoaded } from "../state/loading";
import { go, useRoute } from "../state/route";
import { Meter } from "./Meter";
import { Await, Empty } from "./Notice";

async function everything(signal: AbortSignal): Promise<Charge[]> {
  const found: Charge[] = [];
  let next: number | null = 0;
  while (next !== null) {
    const page: Charges = await asked<Charges>(`./v1/budget/charges?limit=1000&first=${next}`, { signal });
    found.push(...page.charges);
    next = page.next;
  }
  return found;
}

export function Ledger({ list }: { list: readonly Summary[] }) {
  const loaded = useLoaded("charges", everything);
  return (
    <div class="narrow wide">
      <h1>Ledger</h1>
      <p class="lead">Every charge is entered before noise is drawn. What was spent stays spent; nothing is refunded, and no new policy resets it.</p>
      <Await of={loaded} what="the ledger">
        {(charges) => (charges.length > 0 ? <Book charges={charges} list={list} /> : <Empty title="Nothing charged yet">The first release of an epoch makes the first entry.</Empty>)}
      </Await>
    </div>
  );
}

function Book({ charges, list }: { charges: readonly Charge[]; list: readonly Summary[] }) {
  const { params } = useRoute();
  const scopes = [...new Set(charges.map((one) => `${one.dataset} ${one.epoch}`))].reverse();
  const scope = scopes.find((one) => one === params["scope"]) ?? scopes[0] ?? "";
  const [dataset = "", epoch = ""] = scope.split(" ");
  const budget = useLoaded<Budget>(scope, (signal) => asked(`./v1/budget?dataset=${encodeURIComponent(dataset)}&epoch=${encodeURIComponent(epoch)}`, { signal }));
  const here = charges.filter((one) => `${one.dataset} ${one.epoch}` === scope);
  const guarded = list.some((one) => one.dataset === dataset && one.epoch === epoch && one.mode === "guarded");
  const table = charges.map((one) => [one.seq, one.dataset, one.epoch, one.purpose, one.rho, one.delta, one.state, one.created, one.policy, one.analyst]);
  return (
    <>
      <label class="inline">
        <span>Dataset and epoch</span>
        <select value={scope} onChange={(event) => go({ scope: event.currentTarget.value })}>
          {scopes.map((one) => (
            <option key={one} value={one}>
              {one.replace(" ", " · ")}
            </option>
          ))}
        </select>
      </label>
      <Await of={budget} what="the budget">
        {(found) => (
          <div class="meters">
            <Meter title={`Epoch ${epoch}`} account={found.epoch} />
            <Meter title="Its year" account={found.year} />
          </div>
        )}
      </Await>
      {guarded && <p class="notice">A release of this epoch is guarded: its charge covers the counts, not the names.</p>}
      <div class="figure-head">
        <h2>{here.length === 1 ? "One charge" : `${count(here.length)} charges`} of this epoch</h2>
        <button type="button" class="quiet-button" onClick={() => saveCsv("ledger", ["seq", "dataset", "epoch", "purpose", "rho", "delta", "state", "created", "policy", "analyst"], table, "charges of the privacy ledger; rho adds up")}>
          CSV of all
        </button>
      </div>
      <div class="scroll" tabIndex={0} role="region" aria-label="Charges">
        <table>
          <thead>
            <tr>
              {["No.", "For", "State", "ρ", "δ", "When", "Key", "Policy"].map((title) => (
                <th scope="col" key={title}>
                  {title}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {here.map((one) => (
              <tr key={one.seq}>
                <td class="number">{one.seq}</td>
                <th scope="row">{words(one.purpose)}</th>
                <td>
                  <span class={`tag ${one.state}`}>{one.state}</span>
                </td>
                <td class="number">{small(one.rho)}</td>
                <td class="number">{small(one.delta)}</td>
                <td class="when">{one.created.replace("T", " ").replace("Z", " UTC")}</td>
                <td>{one.analyst ? <code>{one.analyst}</code> : "–"}</td>
                <td>
                  <code>{one.policy.replace("sha256:", "").slice(0, 12)}</code>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}
