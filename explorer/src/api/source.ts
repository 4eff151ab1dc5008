// Where releases come from: the API of the server that sent this page, or the one release in a published page.
import type { Growth, Release, Summaries, Summary, Trend } from "./types";
import { asked, Refusal } from "./client";

const published = (): string | null => document.getElementById("release")?.textContent ?? null;

/** Whether this page was exported with one release in it, and speaks to no server. */
export const isPublished = (): boolean => published() !== null;

const kept = new Map<string, Promise<Release>>();

function keep(id: string, load: () => Promise<Release>): Promise<Release> {
  const found = kept.get(id) ?? load();
  kept.set(id, found);
  found.catch(() => kept.delete(id));
  return found;
}

/** Forget what was read with the last key. */
export const forget = (): void => kept.clear();

async function within(): Promise<Release> {
  try {
    return JSON.parse(published() ?? "") as Release;
  } catch {
    throw new Refusal("unreadable", "The release in this page can't be read: the file was cut short or changed.");
  }
}

export async function summaries(): Promise<Summary[]> {
  if (isPublished()) {
    const one = await keep("published", within);
    const { mode, unit, epsilon, delta } = one.guarantee;
    return [{ id: one.id, dataset: one.dataset, epoch: one.epoch, created: one.created, topics: one.topics.length, mode, unit, epsilon, delta }];
  }
  const found: Summary[] = [];
  let next: string | null = null;
  do {
    const page: Summaries = await asked<Summaries>(`./v1/releases?limit=500${next ? `&cursor=${encodeURIComponent(next)}` : ""}`);
    found.push(...page.releases);
    next = page.next;
  } while (next !== null);
  return found;
}

export const release = (id: string): Promise<Release> =>
  isPublished() ? keep("published", within) : keep(id, () => asked<Release>(`./v1/releases/${encodeURIComponent(id)}`));

export const growth = async (id: string): Promise<Growth | null> => (isPublished() ? null : asked<Growth>(`./v1/releases/${encodeURIComponent(id)}/growth`));

export const trend = async (dataset: string, release: string, topic: string, signal: AbortSignal): Promise<Trend> =>
  asked<Trend>(`./v1/trends?dataset=${encodeURIComponent(dataset)}&release=${encodeURIComponent(release)}&topic=${encodeURIComponent(topic)}`, { signal });
