// The server's own shapes under short names; `schema.d.ts` is generated from its OpenAPI document.
import type { components } from "./schema";

type Shapes = components["schemas"];

export type Release = Shapes["ReleaseShape"];
export type Summaries = Shapes["SummariesShape"];
export type Summary = Shapes["SummaryShape"];
export type Topic = Shapes["TopicShape"];
export type Estimate = Shapes["EstimateShape"];
export type FacetCount = Shapes["FacetShape"];
export type Guarantee = Shapes["GuaranteeShape"];
export type Mechanism = Shapes["MechanismShape"];
export type Promise_ = Shapes["PromiseShape"];
export type Growth = Shapes["GrowthShape"];
export type Trend = Shapes["TrendShape"];
export type Findings = Shapes["FindingsShape"];
export type Comparison = Shapes["ComparisonShape"];
export type Budget = Shapes["BudgetShape"];
export type Account = Shapes["AccountShape"];
export type Charge = Shapes["ChargeShape"];
export type Charges = Shapes["ChargesShape"];
export type Askable = Shapes["AskableShape"];
export type Field = Shapes["FieldShape"];
export type Said = Shapes["SaidShape"];
export type Answer = Shapes["AnswerShape"];
export type Quote = Shapes["QuoteShape"];
export type Explanation = Shapes["ExplanationShape"];
export type Entries = Shapes["EntriesShape"];
export type Head = Shapes["HeadShape"];
export type Checkpoints = Shapes["CheckpointsShape"];
export type Proof = Shapes["ProofShape"];
export type Problem = Shapes["Problem"];
