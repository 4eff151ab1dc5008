// Ask: compose a question, see what it costs and how noisy the answer will be, and only then ask.
import { useMemo, useState } from "preact/hooks";
import { asked as fetchJson, bytes, Refusal, told } from "../api/client";
import type { Answer, Askable, Quote, Release, Said, Summary } from "../api/types";
import { body, lacking, parsed, type Question } from "../model/question";
import { grown } from "../model/tree";
import { count, small, words } from "../numbers/format";
import { useLoaded } from "../state/loading";
import { go, useRoute } from "../state/route";
import { hex, sha256, canVerify, type Bytes } from "../verify/bytes";
import { AnswerFigure } from "./AnswerFigure";
import { AskForm } from "./AskForm";
import { Badge } from "./Badge";
import { Await, Empty } from "./Notice";

export function Ask({ release, list }: { release: Release; list: readonly Summary[] }) {
  const form = useLoaded<Askable>("askable", (signal) => fetchJson("./v1/queries", { signal }));
  return (
    <div class="narrow">
      <h1>Ask</h1>
      <p class="lead">A question costs a little of the epoch's privacy budget, once. You see the price and the noise before you pay. The same question gets the same answer for ever.</p>
      <Badge mode={release.guarantee.mode} />
      <Await of={form} what="what may be asked">
        {(found) => (found.live ? <Desk form={found} release={release} list={list} /> : <Empty title="No live questions here">This policy answers no questions between releases. Whoever keeps it can allow them (`queries.live`).</Empty>)}
      </Await>
    </div>
  );
}

interface Answered {
  said: Said;
  raw: Bytes;
  again: "same" | "other" | null;
}

type Stage = { at: "open" } | { at: "busy" } | { at: "failed"; message: string; problem: unknown } | { at: "quoted"; quotes: Quote[] } | { at: "answered"; quotes: Quote[]; answered: Answered };

function Desk({ form, release, list }: { form: Askable; release: Release; list: readonly Summary[] }) {
  const { params } = useRoute();
  const tree = useMemo(() => grown(release), [release]);
  const question = useMemo(() => parsed(params["q"], release.epoch), [params["q"], release]);
  const [stage, enter] = useState<Stage>({ at: "open" });
  const change = (next: Question): void => {
    enter({ at: "open" });
    go({ q: JSON.stringify(next) }, { replace: true });
  };
  const missing = lacking(question, form);

  async function attempt(work: () => Promise<Stage>): Promise<void> {
    enter({ at: "busy" });
    try {
      enter(await work());
    } catch (error) {
      enter({ at: "failed", message: told(error), problem: error instanceof Refusal ? error.detail : null });
    }
  }
  const quote = (): Promise<void> =>
    attempt(async () => ({ at: "quoted", quotes: (await fetchJson<Said>("./v1/queries", { body: body(question, release.dataset, true) })).quotes ?? [] }));
  const ask = (quotes: Quote[], before: Answered | null): Promise<void> =>
    attempt(async () => {
      const raw = await bytes("./v1/queries", { body: body(question, release.dataset, false) });
      const said = JSON.parse(new TextDecoder().decode(raw)) as Said;
      return { at: "answered", quotes, answered: { said, raw, again: before === null ? null : equal(before.raw, raw) ? "same" : "other" } };
    });

  return (
    <>
      <AskForm form={form} question={question} release={release} list={list} tree={tree} change={change} />
      <div class="actions">
        <button type="button" class="primary" disabled={missing !== null || stage.at === "busy"} onClick={() => void quote()}>
          What would it cost?
        </button>
        {missing && <span class="note">{missing}</span>}
      </div>
      <div aria-live="polite">
        {stage.at === "busy" && (
          <p class="state">
            <span class="breathing" aria-hidden="true" />
            On its way…
          </p>
        )}
        {stage.at === "failed" && <Refused message={stage.message} problem={stage.problem} />}
        {stage.at === "quoted" && <Quoted quotes={stage.quotes} form={form} ask={() => void ask(stage.quotes, null)} />}
        {stage.at === "answered" && <Outcome stage={stage} question={question} release={release} form={form} again={() => void ask(stage.quotes, stage.answered)} />}
      </div>
    </>
  );
}

const equal = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((one, at) => one === b[at]);

function Refused({ message, problem }: { message: string; problem: unknown }) {
  const spent = problem as { left?: { questions?: number }; next_epoch?: string; begins?: string } | null;
  return (
    <div class="state failed" role="alert">
      <h2>{spent?.next_epoch ? "The budget is spent" : "Not answered"}</h2>
      <p>
        {message} {spent?.next_epoch && `Questions about ${spent.next_epoch} have a budget of their own${spent.begins ? `, from ${spent.begins.slice(0, 10)} on` : ""}. What was answered before stays free to ask again.`}
      </p>
    </div>
  );
}

function Quoted({ quotes, form, ask }: { quotes: readonly Quote[]; form: Askable; ask: () => void }) {
  const allowed = quotes.every((one) => one.allowed);
  const price = Math.max(0, ...quotes.map((one) => one.charge["epsilon"] ?? 0));
  const broke = quotes.some((one) => (one.charge["rho"] ?? 0) > 0 && one.left !== null && (one.left?.["questions"] ?? 0) < 1);
  return (
    <section class="quote" aria-label="Quote">
      {quotes.map((one) => (
        <div key={one.epoch} class={one.allowed ? "offer" : "offer refused"}>
          <h2>{one.epoch}</h2>
          {one.allowed ? <Offer quote={one} unit={form.unit} /> : <p>Would be withheld: {one.reason}.</p>}
        </div>
      ))}
      {allowed && !broke && (
        <button type="button" class="primary" onClick={ask}>
          {price > 0 ? `Ask, for ε ${small(price)}${quotes.length > 1 ? " an epoch" : ""}` : "Ask again, at no cost"}
        </button>
      )}
      {broke && <p class="notice">What is left does not pay for this question. What was answered before can be asked again at no cost.</p>}
    </section>
  );
}

function Offer({ quote, unit }: { quote: Quote; unit: string }) {
  const free = (quote.charge["epsilon"] ?? 0) === 0;
  return (
    <dl class="figures">
      <div>
        <dt>Price</dt>
        <dd>
          {free ? "nothing" : `ε ${small(quote.charge["epsilon"] ?? 0)}`} <small>{free ? "it was answered before" : `per ${unit}; ρ ${small(quote.charge["rho"] ?? 0)}, δ ${small(quote.charge["delta"] ?? 0)}`}</small>
        </dd>
      </div>
      {Object.entries(quote.noise).map(([name, noise]) => (
        <div key={name}>
          <dt>Noise to expect: {words(name)}</dt>
          <dd>
            ± {small(noise["within_95"] ?? 0)} <small>in 95 of 100 answers{noise["of_users"] ? `, for a cell of ${count(noise["of_users"])} users` : ""}</small>
          </dd>
        </div>
      ))}
      {quote.left && (
        <div>
          <dt>Left for this key</dt>
          <dd>
            {count(quote.left["questions"] ?? 0)} questions <small>ρ {small(quote.left["rho"] ?? 0)}</small>
          </dd>
        </div>
      )}
    </dl>
  );
}

interface OutcomeProps {
  stage: Extract<Stage, { at: "answered" }>;
  question: Question;
  release: Release;
  form: Askable;
  again: () => void;
}

function Outcome({ stage: { answered, quotes }, question, release, form, again }: OutcomeProps) {
  const answers: Answer[] = answered.said.answers ?? [];
  const mark = useLoaded(canVerify() ? `${answered.raw.length} ${answered.again} ${answers[0]?.digest ?? ""}` : null, async () => hex(await sha256(answered.raw)));
  return (
    <section class="outcome" id="answer">
      {answers.map((one) => (
        <AnswerFigure key={one.epoch} answer={one} question={question} release={release} form={form} quote={quotes.find((quote) => quote.epoch === one.epoch) ?? null} />
      ))}
      <div class="actions">
        <button type="button" onClick={again}>
          Ask the same again
        </button>
        <span class="note" role="status">
          {answered.again === "same" && `The same ${count(answered.raw.length)} bytes, at no cost. `}
          {answered.again === "other" && "Other bytes than before: report this. "}
          {mark.state === "there" && `SHA-256 ${mark.value.slice(0, 16)}…`}
        </span>
      </div>
    </section>
  );
}
