// A client of sfumato's API, written by generate.py from /openapi.json. Do not edit: write it again.
// It needs nothing but `fetch`. A refusal is a `Refused`, with the problem (RFC 9457) that the server sent.

/** One budget. */
export type AccountShape = { allowed: AmountShape; spent: AmountShape; left: AmountShape };

/** Privacy loss. epsilon: what this rho alone converts to at the policy's delta; such epsilons do not add up. */
export type AmountShape = { rho: number; delta: number; epsilon: number };

/** About one epoch. `withheld`: something in it is not known or not allowed, which `dry_run` tells. */
export type AnswerShape = { dataset: string; epoch: string; digest: string | null; outcome: "answered" | "withheld"; question: Record<string, unknown> | null; cells: CellShape[]; guarantee: Record<string, unknown> | null };

/** How many. */
export type AskCounts = { dataset: string; epochs: string[]; by?: string[]; where?: FilterShape[]; level?: number; release?: string | null; dry_run?: boolean; measure: "users" | "conversations"; of?: null };

/** The mean over users of each one's own mean of a facet that is a scale or a number. */
export type AskMean = { dataset: string; epochs: string[]; by?: string[]; where?: FilterShape[]; level?: number; release?: string | null; dry_run?: boolean; measure: "mean"; of: string };

/** What may be asked. epsilon: what one question about an epoch states by itself; analyst: all those of one key. */
export type AskableShape = { live: boolean; unit: "user" | "conversation"; measures: string[]; parts: FieldShape[]; epsilon: number; analyst: number };

/** A topic and what lies below it. */
export type BranchShape = { id: string; level: number; name: string; users: EstimateShape; conversations: EstimateShape; children: BranchShape[] };

/**
 * A facet of a release, or of one topic: every value of the domain in its order.
 *
 * `share` is users of the value over `whole`; a user may count in several values, so shares can add up to over 1.
 */
export type BreakdownShape = { release: string; guarantee: PromiseShape; facet: string; topic: string | null; whole: EstimateShape; values: PartShape[] };

/** The budgets of an epoch and of its year. */
export type BudgetShape = { epoch: AccountShape; year: AccountShape };

/** The guarantee of a release. */
export type CardShape = { release: string; policy: PolicyShape; guarantee: GuaranteeShape };

/** One combination of values; `numbers` is null where they are withheld. */
export type CellShape = { at: string[]; numbers: Record<string, NumberShape> | null };

/** One charge of the ledger. analyst: id of the key whose question it was; null for a release. */
export type ChargeShape = { seq: number; dataset: string; epoch: string; purpose: string; rho: number; delta: number; state: string; policy: string; created: string; analyst: string | null };

/** Charges, oldest first. `next`: where to go on, null at the end. */
export type ChargesShape = { charges: ChargeShape[]; next: number | null };

/** Every checkpoint, oldest first, and the public keys that signed them, in the form verifiers of notes read. */
export type CheckpointsShape = { keys: string[]; checkpoints: KeptShape[] };

/** Compare numbers of conversations; facets have none. */
export type CompareConversations = { measure: "conversations"; a: WholeSide; b: WholeSide };

/** Compare shares of users. */
export type CompareShares = { measure: "share"; a: TopicSide | PartSide; b: TopicSide | PartSide };

/** Compare numbers of users. */
export type CompareUsers = { measure: "users"; a: WholeSide | PartSide; b: WholeSide | PartSide };

/** The difference; null where a side is suppressed, or too uncertain a share to have an interval. */
export type ComparisonShape = { measure: "users" | "conversations" | "share"; a: SideShape; b: SideShape; difference: DifferenceShape | null; verdict: "no difference that the noise allows" | "a is larger" | "b is larger" | "can't be compared: suppressed"; method: string };

/** One part of the request that has not the expected form: where, and which rule; never what stood there. */
export type Complaint = { pointer: string; code: string };

/** What became of each line: counts by reason, and the first 20 line numbers for each; never what stood there. */
export type DeliveredShape = { lines: number; accepted: number; rejections: Record<string, number>; first_lines: Record<string, number[]> };

/** a - b with its 95 % interval, in people, conversations or parts of 1. */
export type DifferenceShape = { value: number; low: number; high: number };

/** Entries from a number on, oldest first. size: entries there were. next: where to go on, null at the end. */
export type EntriesShape = { size: number; events: EntryShape[]; next: number | null };

/** One entry. The RFC 8785 bytes of `entry` are the leaf of the tree. */
export type EntryShape = { seq: number; entry: Record<string, unknown> };

/** A noisy number with its 95 % interval. */
export type EstimateShape = { value: number; low: number; high: number };

/** The policy in force in plain words. */
export type ExplanationShape = { digest: string; sections: SectionShape[] };

/** A facet that the release breaks down by, overall or in some topics too. */
export type FacetNameShape = { name: string; values: number; topics: number };

/** One value of a facet; `users` is null where the noisy count is under the threshold. */
export type FacetShape = { value: string; users: EstimateShape | null };

/** The facets of a release; `topics` counts the topics that are broken down by it. */
export type FacetsShape = { release: string; guarantee: PromiseShape; facets: FacetNameShape[] };

/** What a question may break down and filter by. values: null where they are topics or too many to list here. */
export type FieldShape = { name: string; kind: string; mean: boolean; values: string[] | null };

/** Only conversations with one of these values of a facet, or under one of these topics. */
export type FilterShape = { field: string; in: string[] };

/** Topics that answer a search, best first. */
export type FindingsShape = { release: string; guarantee: PromiseShape; matching: "semantic" | "lexical"; topics: FoundShape[] };

/** A topic that answers. score: 0 to 1. where: in which of its texts; `meaning` where only the vectors agree. */
export type FoundShape = { topic: string; parent: string | null; level: number; name: string; users: EstimateShape; score: number; where: "name" | "phrase" | "description" | "meaning" };

/** A topic known again in the release before. change: growth of its users as a part (0.1: a tenth more). */
export type GrownShape = { topic: string; before: string; change: RatioShape | null };

/** Growth of topics since the release of the epoch before; null and no topics where there is none. */
export type GrowthShape = { release: string; guarantee: PromiseShape; before: string | null; epoch: string | null; topics: GrownShape[] };

/** The guarantee card, in the sense of NIST SP 800-226. */
export type GuaranteeShape = { mode: "formal" | "guarded"; unit: "user" | "conversation"; neighbouring: string; epsilon: number; delta: number; rho: number; bounds: Record<string, number>; mechanisms: MechanismShape[]; covers: string[]; does_not_cover: string[] };

/** How long the log is, and the root of its tree in base64, which no signature covers yet. */
export type HeadShape = { size: number; root: string };

/** A checkpoint: the number of entries it signs, and the signed note. */
export type KeptShape = { size: number; note: string };

/** A place in the plane, computed from released values only. */
export type MapShape = { x: number; y: number };

/** One noisy measurement; rho, delta and share are its part of the whole. */
export type MechanismShape = { name: string; statistic: string; mechanism: "discrete_gaussian" | "discrete_gaussian_threshold"; rho: number; delta: number; share: number; sigma: number; threshold: number | null; l0: number; linf: number; l2: number; values: number | null };

/** A language model that took part; the extraction's has read conversations. */
export type ModelUseShape = { role: "extraction" | "naming" | "auditor"; model: string; host: string };

/** A noisy number with its 95 % interval. */
export type NumberShape = { value: number; low: number; high: number };

/** One topic of a release. */
export type OneTopicShape = { release: string; guarantee: PromiseShape; topic: TopicShape };

/** One value of the domain. `users` is null under the threshold, `share` too, or where no interval bounds it. */
export type PartShape = { value: string; users: EstimateShape | null; share: RatioShape | null };

/** One value of a facet, in a release or in one topic of it; its share is of that release or topic. */
export type PartSide = { release: string; topic?: string; facet: string; value: string };

/** A released phrase; `users` is null where the noisy count is under the threshold. */
export type PhraseShape = { text: string; users: EstimateShape | null };

/** A topic in one release. matched: by the same id, or by the same name. */
export type PointShape = { release: string; epoch: string; created: string; guarantee: PromiseShape; topic: string; name: string; users: EstimateShape; conversations: EstimateShape; matched: "id" | "name" };

/** Which policy the release was made under. */
export type PolicyShape = { name: string; digest: string };

/** RFC 9457. */
export type Problem = { type?: string; title: string; status: number; detail: string; errors?: Complaint[] };

/** The guarantee in short, repeated with every answer that holds numbers. */
export type PromiseShape = { mode: "formal" | "guarded"; unit: "user" | "conversation"; epsilon: number; delta: number };

/** Hashes in base64, in the order of RFC 6962, section 2.1. */
export type ProofShape = { first: number; second: number; hashes: string[] };

/** What a question about one epoch would cost now; `left` is what this key may still ask there. */
export type QuoteShape = { epoch: string; allowed: boolean; rule: string; reason: string; digest: string | null; charge: Record<string, number>; noise: Record<string, Record<string, number>>; left: Record<string, number> | null };

/** A share (0 to 1), or on a side of a comparison any number, with its 95 % interval. */
export type RatioShape = { value: number; low: number; high: number };

/** The whole signed document. */
export type ReleaseShape = { format: "sfumato.release/1"; id: string; dataset: string; epoch: string; created: string; policy: PolicyShape; guarantee: GuaranteeShape; totals: TotalsShape; facets: Record<string, FacetShape[]>; topics: TopicShape[]; audit: VerdictShape[]; models?: ModelUseShape[]; signature: SignatureShape };

/** Answers, one for each epoch, or quotes. */
export type SaidShape = { format: "sfumato.answer/1" | "sfumato.quote/1"; answers?: AnswerShape[]; quotes?: QuoteShape[]; padding?: string };

/** A heading and its sentences. */
export type SectionShape = { title: string; lines: string[] };

/** One side as released; null where it is under the threshold, or where no interval bounds the share. */
export type SideShape = { guarantee: PromiseShape; number: RatioShape | null };

/** Ed25519 over the canonical JSON (RFC 8785) of the document without this. */
export type SignatureShape = { algorithm: "Ed25519"; key_id: string; public_key: string; value: string };

/** The server's own state. */
export type StateShape = { status: "ok" };

/** One page of releases, newest first. `next` is the cursor of the page after it, null on the last. */
export type SummariesShape = { releases: SummaryShape[]; next: string | null };

/** A release in a list. */
export type SummaryShape = { mode: "formal" | "guarded"; unit: "user" | "conversation"; epsilon: number; delta: number; id: string; dataset: string; epoch: string; created: string; topics: number };

/** One topic. `level` counts from 0, the leaves. */
export type TopicShape = { id: string; parent: string | null; level: number; name: string; description: string; phrases: PhraseShape[]; users: EstimateShape; conversations: EstimateShape; facets: Record<string, FacetShape[]>; map: MapShape };

/** A topic of a release; its share is of the release. */
export type TopicSide = { release: string; topic: string };

/** The whole epoch. */
export type TotalsShape = { users: EstimateShape; conversations: EstimateShape };

/** The topics of a release as a tree. */
export type TreeShape = { release: string; guarantee: PromiseShape; topics: BranchShape[] };

/**
 * A topic over the releases of a dataset, in the order of their epochs.
 *
 * matching: `id` where every release declares its topics, `name` where none does, `id and name` where some do.
 */
export type TrendShape = { dataset: string; topic: string; name: string; matching: "id" | "name" | "id and name"; releases: number; points: PointShape[] };

/** What the gate decided. */
export type VerdictShape = { subject: string; rule: string; allowed: boolean };

/** A release, or one topic of it. */
export type WholeSide = { release: string; topic?: string };

/** A refusal of the server. retryAfter: seconds until it is worth asking again, where the server says so. */
export class Refused extends Error {
  constructor(readonly status: number, readonly problem: Problem | null, readonly retryAfter: number | null) {
    super(problem === null ? `status ${status}` : `${problem.title}: ${problem.detail}`);
  }
}

type Query = Record<string, string | number | null | undefined>;
type Sent = { query?: Query; headers?: Record<string, string>; json?: unknown; text?: string };

/** url: of the server, over https or on this machine. key: an API key, `sfk_...`, or an identity provider's token. */
export class Sfumato {
  constructor(
    private readonly url: string,
    private readonly key: string,
    private readonly fetcher: typeof fetch = fetch,
  ) {}

  /** The process answers. */
  async healthz(): Promise<StateShape> {
    return (await (await this.ask("GET", `/healthz`)).json()) as StateShape;
  }

  /** Releases and keys can be read. */
  async readyz(): Promise<StateShape> {
    return (await (await this.ask("GET", `/readyz`)).json()) as StateShape;
  }

  /** The last signed note, byte for byte (c2sp.org/tlog-checkpoint). */
  async checkpoint(): Promise<string> {
    return (await (await this.ask("GET", `/v1/audit/checkpoint`)).text()) as string;
  }

  /** What was signed, and by which keys. Keep the last one elsewhere: it is what later ones are held against. */
  async checkpoints(): Promise<CheckpointsShape> {
    return (await (await this.ask("GET", `/v1/audit/checkpoints`)).json()) as CheckpointsShape;
  }

  /** Entries from number `first` on. */
  async events(query: { first?: number; limit?: number } = {}): Promise<EntriesShape> {
    return (await (await this.ask("GET", `/v1/audit/events`, { query })).json()) as EntriesShape;
  }

  /** The log as it stands. */
  async head(): Promise<HeadShape> {
    return (await (await this.ask("GET", `/v1/audit/head`)).json()) as HeadShape;
  }

  /** That the tree of the first `old` entries is the beginning of that of the first `new`. */
  async consistency(query: { old: number; new: number }): Promise<ProofShape> {
    return (await (await this.ask("GET", `/v1/audit/proofs/consistency`, { query })).json()) as ProofShape;
  }

  /** That entry `seq` is in the tree of the first `size` entries. */
  async inclusion(query: { seq: number; size: number }): Promise<ProofShape> {
    return (await (await this.ask("GET", `/v1/audit/proofs/inclusion`, { query })).json()) as ProofShape;
  }

  /** Spent and left of the epoch and of its year, in rho and as epsilon at the policy's delta. */
  async budget(query: { dataset: string; epoch: string }): Promise<BudgetShape> {
    return (await (await this.ask("GET", `/v1/budget`, { query })).json()) as BudgetShape;
  }

  /** Every charge from number `first` on, oldest first: of releases and of questions, the burned ones too. */
  async charges(query: { first?: number; limit?: number } = {}): Promise<ChargesShape> {
    return (await (await this.ask("GET", `/v1/budget/charges`, { query })).json()) as ChargesShape;
  }

  /**
   * The difference a - b with its 95 % interval, from released numbers only.
   *
   * Noise of two numbers is independent, so variances add; shares: Fieller's interval of each, then MOVER. Each
   * interval holds alone: of twenty comparisons of equal numbers, about one finds a difference.
   */
  async comparison(asked: CompareUsers | CompareConversations | CompareShares): Promise<ComparisonShape> {
    return (await (await this.ask("POST", `/v1/compare`, { json: asked })).json()) as ComparisonShape;
  }

  /** Deliver conversations, NDJSON. The same key and body again: the same answer; another body: 409. */
  async conversations(idempotencyKey: string, text: string, query: { dataset?: string } = {}): Promise<DeliveredShape> {
    return (await (await this.ask("POST", `/v1/conversations`, { text, query, headers: { "Content-Type": "application/x-ndjson", "idempotency-key": idempotencyKey } })).json()) as DeliveredShape;
  }

  /** The policy in force. */
  async policy(): Promise<Record<string, unknown>> {
    return (await (await this.ask("GET", `/v1/policy`)).json()) as Record<string, unknown>;
  }

  /** What may be learned, by whom, at what cost, how exact it will be: the policy in force in plain words. */
  async explanation(): Promise<ExplanationShape> {
    return (await (await this.ask("GET", `/v1/policy/explanation`)).json()) as ExplanationShape;
  }

  /** What may be asked: measures, breakdowns with their values, and what a question costs. */
  async form(): Promise<AskableShape> {
    return (await (await this.ask("GET", `/v1/queries`)).json()) as AskableShape;
  }

  /**
   * Ask a question, or with `dry_run` what it would cost.
   *
   * The same question gets the same answer for ever and is charged once. A cell that is too small, a value that is
   * not known and a breakdown that is not allowed are answered alike: without a number.
   */
  async query(asked: AskCounts | AskMean): Promise<SaidShape> {
    return (await (await this.ask("POST", `/v1/queries`, { json: asked })).json()) as SaidShape;
  }

  /** Releases, newest first; `next` continues after the last, with the same filters. A foreign cursor is 404. */
  async releases(query: { dataset?: string | null; epoch?: string | null; limit?: number; cursor?: string | null } = {}): Promise<SummariesShape> {
    return (await (await this.ask("GET", `/v1/releases`, { query })).json()) as SummariesShape;
  }

  /** The signed document, byte for byte as it was verified. */
  async release(releaseId: string): Promise<ReleaseShape> {
    return (await (await this.ask("GET", `/v1/releases/${encodeURIComponent(releaseId)}`)).json()) as ReleaseShape;
  }

  /** The facets of a release. */
  async facets(releaseId: string): Promise<FacetsShape> {
    return (await (await this.ask("GET", `/v1/releases/${encodeURIComponent(releaseId)}/facets`)).json()) as FacetsShape;
  }

  /**
   * One facet, of the release or of one topic: every value of the domain in its order, with users and share.
   *
   * A share is users of the value over users of the whole; its interval is Fieller's for a ratio of two independent
   * Gaussians, both released numbers. There is none under the threshold, nor where the whole is not clear of zero.
   */
  async facet(releaseId: string, name: string, query: { topic?: string | null } = {}): Promise<BreakdownShape> {
    return (await (await this.ask("GET", `/v1/releases/${encodeURIComponent(releaseId)}/facets/${encodeURIComponent(name)}`, { query })).json()) as BreakdownShape;
  }

  /**
   * Growth of users of every topic since the epoch before, with 95 % intervals.
   *
   * Topics are known again as in `/v1/trends`; the interval is Fieller's for a ratio of two independent Gaussians.
   */
  async growth(releaseId: string): Promise<GrowthShape> {
    return (await (await this.ask("GET", `/v1/releases/${encodeURIComponent(releaseId)}/growth`)).json()) as GrowthShape;
  }

  /** The guarantee card. */
  async guarantee(releaseId: string): Promise<CardShape> {
    return (await (await this.ask("GET", `/v1/releases/${encodeURIComponent(releaseId)}/guarantee`)).json()) as CardShape;
  }

  /** Topics, or facets of the whole and of each topic, with 95 % intervals. */
  async table(releaseId: string, file: "topics.csv" | "topics.parquet" | "facets.csv" | "facets.parquet"): Promise<string> {
    return (await (await this.ask("GET", `/v1/releases/${encodeURIComponent(releaseId)}/tables/${encodeURIComponent(file)}`)).text()) as string;
  }

  /** The topics as a tree. */
  async topics(releaseId: string): Promise<TreeShape> {
    return (await (await this.ask("GET", `/v1/releases/${encodeURIComponent(releaseId)}/topics`)).json()) as TreeShape;
  }

  /** One topic with its phrases and facets. */
  async topic(releaseId: string, topicId: string): Promise<OneTopicShape> {
    return (await (await this.ask("GET", `/v1/releases/${encodeURIComponent(releaseId)}/topics/${encodeURIComponent(topicId)}`)).json()) as OneTopicShape;
  }

  /** Topics whose released name, phrases or description answer the text, best first. */
  async search(asked: { release: string; text: string; limit?: number }): Promise<FindingsShape> {
    return (await (await this.ask("POST", `/v1/search`, { json: asked })).json()) as FindingsShape;
  }

  /**
   * The users of a topic over the releases that have it: that of `release`, or else of the newest with this id.
   *
   * In other releases it is the topic with the same id, where both declare their topics, else the one with the same
   * name at the same level. Epochs are different people's data: the noise of two points is independent.
   */
  async trend(query: { dataset: string; topic: string; release?: string | null }): Promise<TrendShape> {
    return (await (await this.ask("GET", `/v1/trends`, { query })).json()) as TrendShape;
  }

  private async ask(method: string, path: string, sent: Sent = {}): Promise<Response> {
    const address = new URL(this.url.replace(/\/+$/, "") + path);
    for (const [name, value] of Object.entries(sent.query ?? {})) {
      if (value !== null && value !== undefined) address.searchParams.set(name, String(value));
    }
    const headers: Record<string, string> = { ...sent.headers, Authorization: `Bearer ${this.key}` };
    let body = sent.text;
    if (sent.json !== undefined) {
      headers["Content-Type"] = "application/json";
      body = JSON.stringify(sent.json);
    }
    const said = await this.fetcher(address, body === undefined ? { method, headers } : { method, headers, body });
    if (said.ok) return said;
    const told = said.headers.get("content-type")?.startsWith("application/problem+json");
    const wait = said.headers.get("retry-after");
    throw new Refused(said.status, told ? ((await said.json()) as Problem) : null, wait === null ? null : Number(wait));
  }
}
