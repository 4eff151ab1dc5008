// The audit log, checked here: signatures of checkpoints, that each extends the one before, and that every entry shown is in the tree.
import { useState } from "preact/hooks";
import { asked } from "../api/client";
import type { Checkpoints, Entries, Proof } from "../api/types";
import { count, words } from "../numbers/format";
import { useLoaded } from "../state/loading";
import { go, useRoute } from "../state/route";
import { canVerify, fromBase64, utf8, type Bytes } from "../verify/bytes";
import { canonical } from "../verify/canonical";
import { extendsTree, includes, leafHash } from "../verify/merkle";
import { read, type Checkpoint } from "../verify/note";
import { Await, Empty } from "./Notice";

const PAGE = 25;

interface Chain {
  checkpoints: Checkpoint[];
  keys: string[];
  problem: string | null;
}

const hashes = (proof: Proof): Bytes[] => proof.hashes.map(fromBase64);
const consistency = (old: number, now: number): Promise<Proof> => asked<Proof>(`./v1/audit/proofs/consistency?old=${old}&new=${now}`);

/** Every checkpoint, each held against the last. */
async function chain(): Promise<Chain> {
  const kept = await asked<Checkpoints>("./v1/audit/checkpoints");
  const base: Chain = { checkpoints: [], keys: kept.keys, problem: null };
  if (!canVerify()) return { ...base, problem: "This browser checks signatures over TLS or on this machine only." };
  for (const one of kept.checkpoints) {
    const found = await read(one.note, kept.keys);
    if (found === null || found.size !== one.size) return { ...base, problem: `The checkpoint of ${one.size} entries carries no valid signature.` };
    base.checkpoints.push(found);
  }
  const last = base.checkpoints.at(-1);
  for (const one of base.checkpoints.slice(-20)) {
    if (last && one.size > 0 && !(await follows(one, last))) return { ...base, problem: `The log of ${last.size} entries does not begin with the one of ${one.size}.` };
  }
  return base;
}

const follows = async (old: Checkpoint, now: Checkpoint): Promise<boolean> => extendsTree(old.size, old.root, now.size, now.root, hashes(await consistency(old.size, now.size)));

export function Audit() {
  const loaded = useLoaded("chain", chain);
  return (
    <div class="narrow wide">
      <h1>Audit log</h1>
      <p class="lead">Every decision, in order, in a tree that can't be changed without it showing. The checks below are made in this browser, not by the server.</p>
      <Await of={loaded} what="and checking the log">
        {(found) => (
          <>
            <Verdict found={found} />
            <Pinned found={found} />
            <Log last={found.checkpoints.at(-1) ?? null} />
          </>
        )}
      </Await>
    </div>
  );
}

function Verdict({ found }: { found: Chain }) {
  const last = found.checkpoints.at(-1);
  if (found.problem) {
    return (
      <p class="notice" role="alert">
        ✕ {found.problem}
      </p>
    );
  }
  if (!last) return <p class="notice">Nothing is signed yet. The gateway signs a checkpoint at the end of each of its jobs.</p>;
  return (
    <p class="good-notice" id="log-verdict">
      ✓ {count(found.checkpoints.length)} checkpoints are signed by the log's key and each is the beginning of the last, which signs {count(last.size)} entries ({last.time.replace("T", " ").replace("Z", " UTC")}).
    </p>
  );
}

/** A checkpoint that the visitor kept elsewhere: what the whole log is to be held against. */
function Pinned({ found }: { found: Chain }) {
  const [result, say] = useState("");
  const last = found.checkpoints.at(-1);
  async function check(event: Event): Promise<void> {
    event.preventDefault();
    const text = new FormData(event.currentTarget as HTMLFormElement).get("note");
    const note = String(text ?? "").replaceAll("\r\n", "\n").trim() + "\n";
    const kept = await read(note, found.keys);
    if (kept === null) return say("✕ This is no checkpoint that the log's key signed.");
    if (!last || kept.size > last.size) return say("✕ You hold a checkpoint of more entries than the log has signed: it was cut short.");
    const good = kept.size === 0 || (await follows(kept, last));
    say(good ? `✓ The log still begins with the ${count(kept.size)} entries you hold a checkpoint of.` : "✕ The log was changed since your checkpoint.");
  }
  return (
    <details class="why">
      <summary>Check against a checkpoint you kept</summary>
      <form onSubmit={(event) => void check(event)}>
        <label for="pinned">The signed note, as `sfumato audit checkpoint --pin` wrote it</label>
        <textarea id="pinned" name="note" rows={6} spellcheck={false} required />
        <button type="submit">Check</button>
        <p role="status">{result}</p>
      </form>
    </details>
  );
}

interface Checked {
  entry: Record<string, unknown>;
  seq: number;
  proved: boolean | null;
}

async function page(first: number, last: Checkpoint | null): Promise<{ size: number; rows: Checked[] }> {
  const found = await asked<Entries>(`./v1/audit/events?first=${first}&limit=${PAGE}`);
  const rows: Checked[] = [];
  for (const { seq, entry } of found.events) rows.push({ seq, entry, proved: last && canVerify() && seq < last.size ? await proved(seq, entry, last) : null });
  return { size: found.size, rows };
}

async function proved(seq: number, entry: Record<string, unknown>, last: Checkpoint): Promise<boolean> {
  const proof = await asked<Proof>(`./v1/audit/proofs/inclusion?seq=${seq}&size=${last.size}`);
  return includes(seq, last.size, await leafHash(utf8(canonical(entry))), hashes(proof), last.root);
}

function Log({ last }: { last: Checkpoint | null }) {
  const { params } = useRoute();
  const first = Math.max(0, Number.parseInt(params["first"] ?? "0", 10) || 0);
  const loaded = useLoaded(`${first} ${last?.size ?? 0}`, () => page(first, last));
  return (
    <Await of={loaded} what="entries">
      {({ size, rows }) =>
        size === 0 ? (
          <Empty title="An empty log">Nothing was decided yet.</Empty>
        ) : (
          <>
            <div class="figure-head">
              <h2>
                Entries {count(first)} to {count(Math.max(first, first + rows.length - 1))} of {count(size)}
              </h2>
              <div class="buttons">
                <button type="button" disabled={first === 0} onClick={() => go({ first: String(Math.max(0, first - PAGE)) })}>
                  Earlier
                </button>
                <button type="button" disabled={first + rows.length >= size} onClick={() => go({ first: String(first + PAGE) })}>
                  Later
                </button>
                <button type="button" onClick={() => go({ first: String(Math.max(0, size - PAGE)) })}>
                  Newest
                </button>
              </div>
            </div>
            <Table rows={rows} />
          </>
        )
      }
    </Await>
  );
}

const KNOWN = new Set(["format", "time", "actor", "role", "operation", "decision", "rule", "seq"]);

function Table({ rows }: { rows: readonly Checked[] }) {
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Entries">
      <table class="entries">
        <thead>
          <tr>
            {["No.", "In the tree", "When", "Who", "What", "Decision", "By rule", "More"].map((title) => (
              <th scope="col" key={title}>
                {title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ seq, entry, proved: found }) => (
            <tr key={seq}>
              <td class="number">{seq}</td>
              <td>{found === null ? <span class="note">not signed yet</span> : found ? <span class="good">✓ proved</span> : <strong class="bad">✕ not in it</strong>}</td>
              <td class="when">{text(entry["time"]).replace("T", " ").replace("Z", "")}</td>
              <td>
                <code>{text(entry["actor"])}</code> {text(entry["role"])}
              </td>
              <th scope="row">{words(text(entry["operation"]))}</th>
              <td>
                <span class={`tag ${text(entry["decision"])}`}>{text(entry["decision"])}</span>
              </td>
              <td>{text(entry["rule"])}</td>
              <td class="more">
                {Object.entries(entry)
                  .filter(([name, value]) => !KNOWN.has(name) && value !== null)
                  .map(([name, value]) => `${words(name)}: ${name === "policy" ? text(value).slice(0, 12) : text(value).slice(0, 44)}`)
                  .join("; ")}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const text = (value: unknown): string => (value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value));
