// Search in released names, phrases and descriptions; choosing a finding jumps to its topic.
import { useId, useMemo, useRef, useState } from "preact/hooks";
import { asked } from "../api/client";
import { isPublished } from "../api/source";
import type { Findings, Release } from "../api/types";
import { path, type Node, type Tree } from "../model/tree";
import { count } from "../numbers/format";

const MOST = 8;

interface Props {
  release: Release;
  tree: Tree;
  find: (text: string) => Node[];
  choose: (node: Node) => void;
}

/** As one types, words are sought on this page; Enter without a choice asks the server, which may know meanings too. */
export function Search({ release, tree, find, choose }: Props) {
  const [text, type] = useState("");
  const [at, move] = useState(-1);
  const [wider, widen] = useState<Node[] | null>(null);
  const name = useId();
  const field = useRef<HTMLInputElement>(null);
  const here = useMemo(() => find(text).slice(0, MOST), [text, find]);
  const found = wider ?? here;
  const pick = (node: Node): void => {
    type("");
    widen(null);
    choose(node);
  };

  async function ask(): Promise<void> {
    if (isPublished() || text.trim() === "") return;
    try {
      const findings = await asked<Findings>("./v1/search", { body: { release: release.id, text: text.trim().slice(0, 200), limit: MOST } });
      widen(findings.topics.flatMap((one) => tree.byId.get(one.topic) ?? []));
    } catch {
      widen(null); // what was found on the page stands
    }
  }

  function onKey(event: KeyboardEvent): void {
    if (event.key === "ArrowDown") move(Math.min(found.length - 1, at + 1));
    else if (event.key === "ArrowUp") move(Math.max(-1, at - 1));
    else if (event.key === "Escape") type("");
    else if (event.key === "Enter") {
      const node = found[at] ?? (found.length === 1 ? found[0] : undefined);
      if (node) pick(node);
      else void ask();
    } else return;
    event.preventDefault();
  }

  const showing = text.trim() !== "";
  return (
    <div class="search">
      <input
        ref={field}
        type="search"
        role="combobox"
        aria-label="Search topics"
        aria-expanded={showing && found.length > 0}
        aria-controls={name}
        aria-autocomplete="list"
        aria-activedescendant={found[at] ? `${name}-${at}` : undefined}
        placeholder="Search topics"
        value={text}
        maxLength={200}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => {
          type(event.currentTarget.value);
          move(-1);
          widen(null);
        }}
        onKeyDown={onKey}
      />
      <ul id={name} role="listbox" aria-label="Topics found" class="found" hidden={!showing || found.length === 0}>
        {found.map((node, index) => (
          <li key={node.topic.id} id={`${name}-${index}`} role="option" aria-selected={index === at} onMouseDown={(event) => event.preventDefault()} onClick={() => pick(node)}>
            <bdi>{node.topic.name}</bdi>
            <small>
              {node.parent ? `${path(node).slice(0, -1).map((one) => one.topic.name).join(" › ")} · ` : ""}
              {count(node.topic.users.value)} users
            </small>
          </li>
        ))}
      </ul>
      {showing && found.length === 0 && (
        <p class="found nothing" role="status">
          Nothing shown here matches. It may be worded otherwise, or too few people asked it.
        </p>
      )}
    </div>
  );
}
