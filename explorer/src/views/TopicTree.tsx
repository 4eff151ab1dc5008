// The topics as a tree for eye, mouse and keyboard; only the rows in sight are in the document.
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Release } from "../api/types";
import type { Palette } from "../model/colours";
import type { Lens } from "../model/lens";
import { matching, path, rows, type Node, type Row, type Tree } from "../model/tree";
import { count, range, shown, tight } from "../numbers/format";
import { Search } from "./Search";

interface Props {
  release: Release;
  tree: Tree;
  lens: Lens;
  palette: Palette;
  selected: Node | null;
  select: (node: Node) => void;
}

const ROW = 40;
const SPARE = 8;
const rowId = (node: Node): string => `row-${node.topic.id}`;

export function TopicTree({ release, tree, lens, palette, selected, select }: Props) {
  const few = tree.tops.length <= 6;
  const [open, setOpen] = useState<ReadonlySet<string>>(() => new Set(few ? tree.tops.map((one) => one.topic.id) : []));
  const [active, activate] = useState<string>(() => selected?.topic.id ?? tree.tops[0]?.topic.id ?? "");
  const list = useMemo(() => rows(tree.tops, open, (node) => lens.of(node)?.value ?? -Infinity), [tree, open, lens]);
  const most = useMemo(() => Math.max(1, ...tree.tops.map((node) => node.topic.users.high)), [tree]);
  const box = useRef<HTMLUListElement>(null);
  const [view, look] = useState({ top: 0, height: 640 });
  const at = Math.max(0, list.findIndex((row) => row.node.topic.id === active));

  useEffect(() => {
    if (!selected) return;
    setOpen((before) => {
      const above = path(selected).slice(0, -1).map((node) => node.topic.id);
      return above.every((id) => before.has(id)) ? before : new Set([...before, ...above]);
    });
    activate(selected.topic.id);
  }, [selected]);

  useLayoutEffect(() => {
    const node = box.current;
    if (!node || document.activeElement !== node && !selected) return;
    const [top, end] = [at * ROW, (at + 1) * ROW];
    if (top < node.scrollTop) node.scrollTop = top;
    else if (end > node.scrollTop + node.clientHeight) node.scrollTop = end - node.clientHeight;
  }, [at, list]);

  useLayoutEffect(() => {
    const node = box.current;
    if (!node) return;
    const watching = new ResizeObserver(() => look({ top: node.scrollTop, height: node.clientHeight }));
    watching.observe(node);
    return () => watching.disconnect();
  }, []);

  const toggle = (node: Node, to = !open.has(node.topic.id)): void => {
    const next = new Set(open);
    if (to) next.add(node.topic.id);
    else next.delete(node.topic.id);
    setOpen(next);
  };
  const all = (to: boolean): void => {
    setOpen(new Set(to ? tree.all.filter((one) => one.children.length > 0).map((one) => one.topic.id) : []));
    const top = path(tree.byId.get(active) ?? tree.tops[0] ?? (list[0] as Row).node)[0];
    if (!to && top) activate(top.topic.id);
  };

  function onKey(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = list[at];
    if (!row) return;
    const to = moved(event.key, row.node, at, list, open, toggle, select);
    if (to === null) return;
    event.preventDefault();
    if (to !== undefined) activate(to.topic.id);
  }

  const [printing, setPrinting] = useState(false);
  useEffect(() => {
    const [before, after] = [() => setPrinting(true), () => setPrinting(false)];
    addEventListener("beforeprint", before);
    addEventListener("afterprint", after);
    return () => {
      removeEventListener("beforeprint", before);
      removeEventListener("afterprint", after);
    };
  }, []);
  const from = printing ? 0 : Math.max(0, Math.floor(view.top / ROW) - SPARE);
  const until = printing ? list.length : Math.min(list.length, Math.ceil((view.top + view.height) / ROW) + SPARE);
  return (
    <section class="panel tree-panel" aria-label="Topics as a list">
      <div class="panel-head">
        <Search release={release} tree={tree} find={(text) => matching(tree, text)} choose={select} />
        {tree.levels.length > 1 && (
          <div class="buttons">
            <button type="button" class="quiet-button" aria-label="Expand all" onClick={() => all(true)}>
              Expand
            </button>
            <button type="button" class="quiet-button" aria-label="Collapse all" onClick={() => all(false)}>
              Collapse
            </button>
          </div>
        )}
      </div>
      <ul
        ref={box}
        class="tree"
        role="tree"
        tabIndex={0}
        aria-label={`Topics, sorted by ${lens.title}`}
        aria-activedescendant={list[at] ? rowId(list[at].node) : undefined}
        onKeyDown={onKey}
        onScroll={(event) => look({ top: event.currentTarget.scrollTop, height: event.currentTarget.clientHeight })}
      >
        <li role="presentation" style={{ height: `${from * ROW}px` }} />
        {list.slice(from, until).map((row) => (
          <TreeRow
            key={row.node.topic.id}
            row={row}
            lens={lens}
            palette={palette}
            most={most}
            open={open.has(row.node.topic.id)}
            selected={row.node === selected}
            active={row.node.topic.id === active}
            onToggle={() => toggle(row.node)}
            onSelect={() => {
              activate(row.node.topic.id);
              select(row.node);
            }}
          />
        ))}
        <li role="presentation" style={{ height: `${(list.length - until) * ROW}px` }} />
      </ul>
    </section>
  );
}

type Toggle = (node: Node, to?: boolean) => void;

/** Where a key leads: a node, nowhere but handled (undefined), or not ours (null). */
function moved(key: string, node: Node, at: number, list: readonly Row[], open: ReadonlySet<string>, toggle: Toggle, select: (node: Node) => void): Node | undefined | null {
  const isOpen = node.children.length > 0 && open.has(node.topic.id);
  switch (key) {
    case "ArrowDown":
      return list[at + 1]?.node;
    case "ArrowUp":
      return list[at - 1]?.node;
    case "Home":
      return list[0]?.node;
    case "End":
      return list.at(-1)?.node;
    case "ArrowRight":
      if (isOpen) return list[at + 1]?.node;
      if (node.children.length > 0) toggle(node, true);
      return undefined;
    case "ArrowLeft":
      if (!isOpen) return node.parent ?? undefined;
      toggle(node, false);
      return undefined;
    case "Enter":
    case " ":
      select(node);
      return undefined;
  }
  if (!/^\S$/u.test(key)) return null;
  const order = [...list.slice(at + 1), ...list.slice(0, at)];
  return order.find((row) => row.node.topic.name.toLowerCase().startsWith(key.toLowerCase()))?.node;
}

interface RowProps {
  row: Row;
  lens: Lens;
  palette: Palette;
  most: number;
  open: boolean;
  selected: boolean;
  active: boolean;
  onToggle: () => void;
  onSelect: () => void;
}

function TreeRow({ row: { node, position, size }, lens, palette, most, open, selected, active, onToggle, onSelect }: RowProps) {
  const { topic } = node;
  const parent = node.children.length > 0;
  const seen = lens.name === "users" ? null : lens.of(node);
  const shade = palette.shade(lens.name === "users" ? topic.users : seen);
  const part = (value: number): string => `${Math.min(100, Math.max(0, (100 * value) / most)).toFixed(2)}%`;
  const tone = shade.step === null ? "none" : palette.kind === "plain" ? "plain" : `${palette.kind}-${shade.step}`;
  const sorted = lens.name === "users" ? "" : `, ${lens.title} ${seen ? `${shown(seen.value, lens.scale)}, ${range(seen, lens.scale)}` : "not shown"}`;
  return (
    <li
      id={rowId(node)}
      role="treeitem"
      class={active ? "row active" : "row"}
      aria-level={node.depth + 1}
      aria-posinset={position}
      aria-setsize={size}
      aria-selected={selected}
      aria-expanded={parent ? open : undefined}
      aria-label={`${topic.name}, about ${count(topic.users.value)} users, ${range(topic.users)}${sorted}`}
      data-topic={topic.id}
      style={{ "--depth": String(node.depth) }}
      onClick={onSelect}
    >
      <span
        class={parent ? "twisty" : "twisty leaf"}
        aria-hidden="true"
        onClick={(event) => {
          if (!parent) return;
          event.stopPropagation();
          onToggle();
        }}
      />
      <span class="name" title={topic.name}>
        <bdi>{topic.name}</bdi>
      </span>
      <span class={`softbar ${tone} ${shade.sureness}`} style={{ "--low": part(topic.users.low), "--high": part(topic.users.high), "--value": part(topic.users.value) }} />
      <span class="number">
        {lens.name === "users" ? count(topic.users.value) : seen ? shown(seen.value, lens.scale) : "–"}
        {lens.name !== "users" && seen && <small>{tight(seen, lens.scale)}</small>}
      </span>
    </li>
  );
}
