// A lens: what topics are sorted and coloured by. Size, growth, or the share of one value of a facet, each with its interval.
import type { Growth, Release } from "../api/types";
import { capital, valueName, words, type Scale } from "../numbers/format";
import { ratio, type Interval } from "../numbers/intervals";
import type { Node } from "./tree";

export interface Lens {
  name: string;
  title: string;
  scale: Scale;
  of: (node: Node) => Interval | null;
}

const size: Lens = { name: "users", title: "users", scale: "count", of: (node) => node.topic.users };

/** By the name that stands in the address: `users`, `growth`, `facet:value`. */
export function lens(name: string, growth: Growth | null): Lens {
  if (name === "growth" && growth !== null) {
    const changes = new Map(growth.topics.map((one) => [one.topic, one.change]));
    return { name, title: `growth since ${growth.epoch ?? "before"}`, scale: "growth", of: (node) => changes.get(node.topic.id) ?? null };
  }
  const [facet = "", ...rest] = name.split(":");
  const value = rest.join(":");
  if (value === "") return size;
  const title = facet === "refused" && value === "yes" ? "refusal rate" : `${words(facet)}: ${valueName(facet, value)}`;
  return {
    name,
    title,
    scale: "share",
    of: ({ topic }) => {
      const users = topic.facets[facet]?.find((one) => one.value === value)?.users;
      return users ? ratio(users, topic.users) : null;
    },
  };
}

export interface Choice {
  name: string;
  title: string;
  group: string;
}

const MOST_VALUES = 12;

/** The lenses that a release offers: of each facet, the values that most topics show. */
export function choices(release: Release, growth: Growth | null): Choice[] {
  const found: Choice[] = [{ name: "users", title: "Users", group: "" }];
  if (growth !== null && growth.topics.length > 0) found.push({ name: "growth", title: `Growth since ${growth.epoch}`, group: "" });
  const shown = new Map<string, Map<string, number>>();
  for (const topic of release.topics) {
    for (const [facet, counts] of Object.entries(topic.facets)) {
      const values = shown.get(facet) ?? new Map<string, number>();
      for (const one of counts) if (one.users) values.set(one.value, (values.get(one.value) ?? 0) + one.users.value);
      shown.set(facet, values);
    }
  }
  for (const [facet, values] of shown) {
    const largest = [...values].sort((a, b) => b[1] - a[1]).slice(0, MOST_VALUES);
    const order = release.facets[facet]?.map((one) => one.value) ?? [];
    largest.sort((a, b) => order.indexOf(a[0]) - order.indexOf(b[0]));
    for (const [value] of largest) found.push({ name: `${facet}:${value}`, title: capital(`${words(facet)}: ${valueName(facet, value)}`), group: `Share by ${words(facet)}` });
  }
  return found;
}
