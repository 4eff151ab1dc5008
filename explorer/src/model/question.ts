// A live question as the form holds it, as the address spells it, and as it is sent.
import type { Askable } from "../api/types";

export interface Filter {
  field: string;
  values: string[];
}

export interface Question {
  epochs: string[];
  measure: "users" | "conversations" | "mean";
  of: string;
  by: string[];
  where: Filter[];
  level: number;
}

export const TOPIC = "topic";
export const MOST_BY = 3;
export const MOST_FILTERS = 8;

export const blank = (epoch: string): Question => ({ epochs: [epoch], measure: "users", of: "", by: [], where: [], level: 0 });

const list = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : []);

/** What stands in the address; anything odd in it falls back to nothing. */
export function parsed(text: string | undefined, epoch: string): Question {
  const base = blank(epoch);
  try {
    const found = JSON.parse(text ?? "") as Record<string, unknown>;
    const where = Array.isArray(found["where"]) ? (found["where"] as Record<string, unknown>[]) : [];
    const measure = found["measure"];
    return {
      epochs: list(found["epochs"]).length > 0 ? list(found["epochs"]) : base.epochs,
      measure: measure === "conversations" || measure === "mean" ? measure : "users",
      of: typeof found["of"] === "string" ? found["of"] : "",
      by: list(found["by"]).slice(0, MOST_BY),
      where: where.slice(0, MOST_FILTERS).map((one) => ({ field: String(one["field"] ?? ""), values: list(one["values"]) })),
      level: typeof found["level"] === "number" ? found["level"] : 0,
    };
  } catch {
    return base;
  }
}

export const body = (asked: Question, dataset: string, dryRun: boolean): unknown => ({
  dataset,
  epochs: asked.epochs,
  measure: asked.measure,
  ...(asked.measure === "mean" ? { of: asked.of } : {}),
  by: asked.by,
  where: asked.where.filter((one) => one.field !== "" && one.values.length > 0).map((one) => ({ field: one.field, in: one.values })),
  level: asked.by.includes(TOPIC) ? asked.level : 0,
  dry_run: dryRun,
});

/** Whether it can be sent, or what is missing. */
export function lacking(asked: Question, form: Askable): string | null {
  if (asked.epochs.length === 0) return "Choose an epoch.";
  if (asked.measure === "mean" && !form.parts.some((part) => part.name === asked.of && part.mean)) return "Choose what the mean is of.";
  return null;
}
