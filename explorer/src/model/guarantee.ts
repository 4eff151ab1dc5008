// What was promised, in one sentence and in one line that goes with every file.
import type { Promise_, Release } from "../api/types";
import { small } from "../numbers/format";

type Promised = Pick<Promise_, "mode" | "unit" | "epsilon" | "delta">;

/** What every number of a release is worth, in one line: printed into every picture and table that leaves the page. */
export function line(release: Release): string {
  const { mode, unit, epsilon, delta } = release.guarantee;
  const kind = mode === "formal" ? "differentially private" : "guarded mode: names and topics carry no formal guarantee, counts are differentially private";
  return `${kind}; unit ${unit}; ε ${small(epsilon)}, δ ${small(delta)}; dataset ${release.dataset}, epoch ${release.epoch}; release ${release.id}; policy ${release.policy.name}; ranges are 95 % intervals of the noise`;
}

/** The most that one unit can shift anybody's odds, as a factor. */
export const factor = (epsilon: number): string => {
  const times = Math.exp(epsilon);
  return times < 100 ? String(Number(times.toPrecision(2))) : times < 1e6 ? Math.round(times).toLocaleString("en") : "more than a million";
};

export const sentence = ({ mode, unit, epsilon }: Promised): string =>
  mode === "formal"
    ? `Whatever somebody believed about one ${unit} being in the data, all of this together shifts those odds by a factor of ${factor(epsilon)} at most.`
    : `Only the counts are protected formally: they shift anybody's odds about one ${unit} by a factor of ${factor(epsilon)} at most. Names and topics rest on thresholds and an auditor.`;
