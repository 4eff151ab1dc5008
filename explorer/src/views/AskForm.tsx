// The form of a question: of which epochs, what is counted, broken down by what, among whom.
import type { Askable, Field, Release, Summary } from "../api/types";
import { matching, type Tree } from "../model/tree";
import { MOST_BY, MOST_FILTERS, TOPIC, type Filter, type Question } from "../model/question";
import { valueName, words } from "../numbers/format";
import { Search } from "./Search";

interface Props {
  form: Askable;
  question: Question;
  release: Release;
  list: readonly Summary[];
  tree: Tree;
  change: (next: Question) => void;
}

const MEASURES = { users: "How many users", conversations: "How many conversations", mean: "The mean of" } as const;
const toggled = (all: readonly string[], one: string, on: boolean): string[] => (on ? [...all, one] : all.filter((other) => other !== one));

export function AskForm({ form, question, release, list, tree, change }: Props) {
  const epochs = [...new Set(list.filter((one) => one.dataset === release.dataset).map((one) => one.epoch))];
  const put = (part: Partial<Question>): void => change({ ...question, ...part });
  const measures = (Object.keys(MEASURES) as (keyof typeof MEASURES)[]).filter((one) => form.measures.includes(one));
  const means = form.parts.filter((part) => part.mean);
  return (
    <form class="ask-form" onSubmit={(event) => event.preventDefault()}>
      <fieldset>
        <legend>Count</legend>
        <div class="choices">
          {measures.map((name) => (
            <label key={name}>
              <input type="radio" name="measure" checked={question.measure === name} onChange={() => put({ measure: name, of: name === "mean" ? question.of || (means[0]?.name ?? "") : "" })} />
              {MEASURES[name]}
            </label>
          ))}
          {question.measure === "mean" && (
            <select aria-label="Mean of" value={question.of} onChange={(event) => put({ of: event.currentTarget.value })}>
              {means.map((part) => (
                <option key={part.name} value={part.name}>
                  {words(part.name)}
                </option>
              ))}
            </select>
          )}
        </div>
      </fieldset>
      <fieldset>
        <legend>In</legend>
        <div class="choices">
          {epochs.map((epoch) => (
            <label key={epoch}>
              <input type="checkbox" checked={question.epochs.includes(epoch)} onChange={(event) => put({ epochs: toggled(question.epochs, epoch, event.currentTarget.checked) })} />
              {epoch}
            </label>
          ))}
        </div>
      </fieldset>
      <fieldset>
        <legend>Broken down by</legend>
        <div class="choices">
          {form.parts.map((part) => {
            const on = question.by.includes(part.name);
            return (
              <label key={part.name}>
                <input type="checkbox" checked={on} disabled={!on && question.by.length >= MOST_BY} onChange={(event) => put({ by: toggled(question.by, part.name, event.currentTarget.checked) })} />
                {words(part.name)}
              </label>
            );
          })}
          {question.by.includes(TOPIC) && tree.levels.length > 1 && (
            <label>
              Level{" "}
              <select value={String(question.level)} onChange={(event) => put({ level: Number(event.currentTarget.value) })}>
                {tree.levels.map((level, at) => (
                  <option key={level} value={String(level)}>
                    {at === 0 ? "top topics" : level === 0 ? "finest topics" : `level ${level}`}
                  </option>
                ))}
              </select>
            </label>
          )}
        </div>
      </fieldset>
      <fieldset>
        <legend>Among</legend>
        {question.where.map((filter, at) => (
          <FilterRow key={at} filter={filter} parts={form.parts} release={release} tree={tree} change={(next) => put({ where: question.where.flatMap((one, other) => (other === at ? (next ? [next] : []) : [one])) })} />
        ))}
        {question.where.length === 0 && <span class="note">everybody </span>}
        {question.where.length < MOST_FILTERS && (
          <button type="button" class="quiet-button" onClick={() => put({ where: [...question.where, { field: form.parts[0]?.name ?? "", values: [] }] })}>
            Only where…
          </button>
        )}
      </fieldset>
    </form>
  );
}

interface RowProps {
  filter: Filter;
  parts: readonly Field[];
  release: Release;
  tree: Tree;
  change: (next: Filter | null) => void;
}

function FilterRow({ filter, parts, release, tree, change }: RowProps) {
  const part = parts.find((one) => one.name === filter.field);
  const values = part?.values ?? release.facets[filter.field]?.map((one) => one.value) ?? [];
  return (
    <div class="filter">
      <select aria-label="Only where" value={filter.field} onChange={(event) => change({ field: event.currentTarget.value, values: [] })}>
        {parts.map((one) => (
          <option key={one.name} value={one.name}>
            {words(one.name)}
          </option>
        ))}
      </select>
      <span>is</span>
      {filter.field === TOPIC ? (
        <>
          {filter.values.map((id) => (
            <button key={id} type="button" class="quiet-button" aria-label={`Remove ${tree.byId.get(id)?.topic.name ?? id}`} onClick={() => change({ ...filter, values: filter.values.filter((one) => one !== id) })}>
              <bdi>{tree.byId.get(id)?.topic.name ?? id}</bdi> ✕
            </button>
          ))}
          <Search release={release} tree={tree} find={(text) => matching(tree, text)} choose={(node) => change({ ...filter, values: [...new Set([...filter.values, node.topic.id])] })} />
        </>
      ) : values.length > 14 ? (
        <select multiple size={5} aria-label={`Values of ${words(filter.field)}`} onChange={(event) => change({ ...filter, values: [...event.currentTarget.selectedOptions].map((one) => one.value) })}>
          {values.map((value) => (
            <option key={value} value={value} selected={filter.values.includes(value)}>
              {valueName(filter.field, value)}
            </option>
          ))}
        </select>
      ) : (
        values.map((value) => (
          <label key={value}>
            <input type="checkbox" checked={filter.values.includes(value)} onChange={(event) => change({ ...filter, values: toggled(filter.values, value, event.currentTarget.checked) })} />
            {valueName(filter.field, value)}
          </label>
        ))
      )}
      <button type="button" class="quiet-button" aria-label="Remove this condition" onClick={() => change(null)}>
        ✕
      </button>
    </div>
  );
}
