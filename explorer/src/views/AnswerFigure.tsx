// An answer about one epoch as bars, one for each cell, with what it promised and cost.
import type { Answer, Askable, Quote, Release } from "../api/types";
import { Bars } from "../charts/Bars";
import { Figure } from "../charts/Figure";
import { TOPIC, type Question } from "../model/question";
import { count, small, valueName, words, type Scale } from "../numbers/format";
import type { Interval } from "../numbers/intervals";
import { WhyMissing } from "./WhyMissing";

interface Props {
  answer: Answer;
  question: Question;
  release: Release;
  form: Askable;
  quote: Quote | null;
}

const MOST = 40;

export function AnswerFigure({ answer, question, release, form, quote }: Props) {
  const by = [...question.by].sort();
  const names = new Map(release.topics.map((topic) => [topic.id, topic.name]));
  const label = (at: readonly string[]): string => at.map((value, part) => (by[part] === TOPIC ? (names.get(value) ?? value) : valueName(by[part] ?? "", value))).join(" · ") || "everybody";
  const number = (cell: Answer["cells"][number]): Interval | null => cell.numbers?.[question.measure] ?? null;
  const scale: Scale = question.measure === "mean" ? "mean" : "count";
  const price = quote?.charge["epsilon"] ?? 0;
  const title = `${question.measure === "mean" ? `Mean of ${words(question.of)}` : words(question.measure)}${by.length > 0 ? ` by ${by.map(words).join(" and ")}` : ""}, ${answer.epoch}`;
  const promise = `live answer, differentially private; unit ${form.unit}; ε ${small(form.epsilon)} by itself; dataset ${answer.dataset}, epoch ${answer.epoch}; answer ${(answer.digest ?? "none").slice(0, 16)}; ranges are 95 % intervals of the noise`;
  const shown = answer.cells.filter((cell) => number(cell) !== null);
  const ordered = by.length === 1 && by[0] !== TOPIC && answer.cells.length <= MOST ? answer.cells : [...shown].sort((a, b) => (number(b)?.value ?? 0) - (number(a)?.value ?? 0));
  const withheld = answer.cells.length - shown.length;
  const rows = answer.cells.map((cell) => [...cell.at, number(cell)?.value ?? null, number(cell)?.low ?? null, number(cell)?.high ?? null]);
  if (answer.outcome === "withheld" || shown.length === 0) {
    return (
      <div class="state">
        <h2>Nothing can be shown for {answer.epoch}</h2>
        <p>Too few, unknown and not allowed are answered alike, so that the answer itself gives nothing away.</p>
        <WhyMissing release={release} />
      </div>
    );
  }
  return (
    <Figure
      title={title}
      level={2}
      file={`answer-${answer.epoch}`}
      guarantee={promise}
      columns={[...by, question.measure, "low", "high"]}
      rows={rows}
      note={`${withheld > 0 ? `${count(withheld)} of ${count(answer.cells.length)} cells are withheld: too few people, or unlucky noise. ` : ""}${price > 0 ? `Paid once: ε ${small(price)}.` : "Answered before: paid nothing."}`}
    >
      {(picture) => <Bars title={title} scale={scale} picture={picture} bars={ordered.slice(0, MOST).map((cell) => ({ name: label(cell.at), number: number(cell) }))} />}
    </Figure>
  );
}
