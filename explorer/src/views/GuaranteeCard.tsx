// The guarantee card: what is promised, to whom, at what cost, by which mechanisms, and what is not covered.
import { useEffect, useRef } from "preact/hooks";
import { asked } from "../api/client";
import { isPublished } from "../api/source";
import type { Budget, Guarantee, Release } from "../api/types";
import { factor, sentence } from "../model/guarantee";
import { count, shown, small, words } from "../numbers/format";
import { useLoaded } from "../state/loading";
import { go } from "../state/route";
import { deniedAreas } from "../state/session";
import { verified, type Verified } from "../verify/release";
import { Badge } from "./Badge";
import { Meter } from "./Meter";

const close = (): void => go({ card: "" }, { replace: true });

export function GuaranteeCard({ release }: { release: Release }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    dialog.current?.showModal();
    return () => document.getElementById("open-card")?.focus();
  }, []);
  const { guarantee } = release;
  return (
    <dialog ref={dialog} class="drawer" aria-labelledby="card-title" onClose={close} onClick={(event) => event.target === dialog.current && close()}>
      <div class="drawer-body" id="card">
        <div class="drawer-head">
          <h2 id="card-title">What is guaranteed</h2>
          <button type="button" class="quiet-button" onClick={close}>
            Close
          </button>
        </div>
        <p>
          <Badge mode={guarantee.mode} long />
        </p>
        <p class="promise">{sentence(guarantee)}</p>
        <Cost release={release} />
        <div class="promises">
          <Sentences title="Covered" kind="covers" lines={guarantee.covers} />
          <Sentences title="Not covered" kind="uncovered" lines={guarantee.does_not_cover} />
        </div>
        <Terms release={release} />
        <h3>Mechanisms</h3>
        <p class="note">Each is one noisy measurement. Shares add up to the whole of ρ; σ is the standard deviation of its noise.</p>
        <Mechanisms guarantee={guarantee} />
        <Verdicts release={release} />
      </div>
    </dialog>
  );
}

function Cost({ release }: { release: Release }) {
  const { epsilon, delta, unit } = release.guarantee;
  const name = isPublished() || deniedAreas().has("budget") ? null : `${release.dataset} ${release.epoch}`;
  const budget = useLoaded<Budget>(name, (signal) => asked(`./v1/budget?dataset=${encodeURIComponent(release.dataset)}&epoch=${encodeURIComponent(release.epoch)}`, { signal }));
  return (
    <section>
      <dl class="figures">
        <div>
          <dt>Privacy loss ε of this release</dt>
          <dd>
            {small(epsilon)} <small>odds shift by ×{factor(epsilon)} at most</small>
          </dd>
        </div>
        <div>
          <dt>Chance δ that it fails</dt>
          <dd>
            {small(delta)} <small>at most one in {count(Math.floor(1 / delta))}</small>
          </dd>
        </div>
        <div>
          <dt>Whose presence is hidden</dt>
          <dd>
            One {unit} <small>{release.guarantee.neighbouring}</small>
          </dd>
        </div>
      </dl>
      {name !== null && budget.state === "there" && (
        <>
          <Meter title={`Budget of ${release.epoch}`} account={budget.value.epoch} />
          <Meter title="Budget of its year" account={budget.value.year} />
        </>
      )}
      {!isPublished() && (name === null || (budget.state === "failed" && budget.kind === "denied")) && <p class="note">What is left of the budget is for roles that may read the ledger.</p>}
      {budget.state === "failed" && budget.kind !== "denied" && <p class="note">The ledger is not shown here.</p>}
    </section>
  );
}

function Sentences({ title, kind, lines }: { title: string; kind: string; lines: readonly string[] }) {
  return (
    <section class={kind}>
      <h3>{title}</h3>
      <ul>
        {lines.map((one) => (
          <li key={one}>
            <bdi>{one}</bdi>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Terms({ release }: { release: Release }) {
  const signature = useLoaded<Verified>(`signature ${release.id}`, () => verified(release));
  const found = signature.state === "there" ? signature.value : null;
  return (
    <dl class="terms">
      <dt>Bounds</dt>
      <dd>
        <ul>
          {Object.entries(release.guarantee.bounds).map(([name, value]) => (
            <li key={name}>
              {words(name)}: at most {count(value)}
            </li>
          ))}
        </ul>
      </dd>
      <dt>ρ (zCDP)</dt>
      <dd>{small(release.guarantee.rho)}</dd>
      <dt>Policy</dt>
      <dd>
        <bdi>{release.policy.name}</bdi> <code>{release.policy.digest}</code>
      </dd>
      {(release.models ?? []).map((one) => [
        <dt key={`${one.role} name`}>Model for {one.role}</dt>,
        <dd key={one.role}>
          <bdi>
            {one.model} at {one.host}
          </bdi>
        </dd>,
      ])}
      <dt>Signature</dt>
      <dd class="signature">
        {found === null && "Checking in this browser…"}
        {found?.state === "good" && <span class="good">✓ Checked in this browser: whole, signed by key {found.key}</span>}
        {found?.state === "bad" && <strong class="bad">✕ {found.why}</strong>}
        {found?.state === "unable" && found.why}
      </dd>
    </dl>
  );
}

function Mechanisms({ guarantee }: { guarantee: Guarantee }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Mechanisms">
      <table>
        <thead>
          <tr>
            {["Name", "Statistic", "Share", "σ", "ρ", "δ", "Threshold", "ℓ₀", "ℓ∞", "ℓ₂", "Values"].map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {guarantee.mechanisms.map((one) => (
            <tr key={one.name}>
              <th scope="row">{words(one.name)}</th>
              <td>
                {one.statistic} <small>{words(one.mechanism)}</small>
              </td>
              {[shown(one.share, "share"), small(one.sigma), small(one.rho), small(one.delta), one.threshold ?? "–", one.l0, small(one.linf), small(one.l2), one.values ?? "–"].map((value, at) => (
                <td class="number" key={at}>
                  {value}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Verdicts({ release }: { release: Release }) {
  const refused = release.audit.filter((one) => !one.allowed);
  if (refused.length === 0) return null;
  const rules = new Map<string, number>();
  for (const one of refused) rules.set(one.rule, (rules.get(one.rule) ?? 0) + 1);
  return (
    <section>
      <h3>What the gate turned away</h3>
      <ul class="plain">
        {[...rules].map(([rule, times]) => (
          <li key={rule}>
            {count(times)} × <bdi>{words(rule)}</bdi>
          </li>
        ))}
      </ul>
    </section>
  );
}
